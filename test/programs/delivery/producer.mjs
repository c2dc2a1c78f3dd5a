// A process that makes windows and is killed in the middle of its work (test/delivery-kills.test.mjs, bench/delivery.mjs): arguments are the receiver's URL, the spool's
// directory, the first and the last window's number. Prints `pushed <n>` when window n is finished, and at the end its counts as JSON.

import { aWindow, deliver, pyroscopeExporter } from '../../delivery-helpers.mjs';

const [endpoint, dir, from, to] = process.argv.slice(2);
const clock = {
  now: Date.now,
  setTimeout: (work, ms) => setTimeout(work, ms / 50),
  clearTimeout,
  random: Math.random,
};
const { delivery } = deliver([pyroscopeExporter({ endpoint, spool: { dir }, timeoutSeconds: 1 })], { clock });
for (let number = Number(from); number <= Number(to); number++) {
  delivery.push(aWindow(number));
  process.stdout.write(`pushed ${number}\n`);
  await new Promise((next) => setTimeout(next, 10));
}
process.stdout.write('all\n');
// Nothing more to make: stays until it is told to end, as a service does.
process.stdin.on('data', async () => {
  await delivery.flush(10_000);
  process.stdout.write(`${JSON.stringify(delivery.stats()[0])}\n`);
  process.exit(0);
});
