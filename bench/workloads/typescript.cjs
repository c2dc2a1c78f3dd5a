// Type-checks this repository's src/ BENCH_ROUNDS times as a whole process (lib/checking.cjs). Prints the number of files checked.

const { check } = require('./lib/checking.cjs');

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 2);
let files = 0;
for (let round = 0; round < ROUNDS; round++) files += check();
console.log(files);
