// A fixed amount of computing as a whole process, about 2.5 s (lib/computing.cjs). Prints a checksum, so that every run is known to do the same.

const { computing } = require('./lib/computing.cjs');

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 110);
const round = computing();
let sum = 0;
for (let i = 0; i < ROUNDS; i++) sum += round();
console.log(sum.toFixed(3));
