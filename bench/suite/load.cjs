// The clients of the http workload, in a process of their own: `node load.cjs PORT`. Tells its parent when it is ready; on { amount } it sends that many requests
// over 16 connections and answers with { requests, failed }. Ends when the parent goes.
//
// The answer comes with the last response: autocannon's own result comes up to a second later, and the server would idle meanwhile.

const autocannon = require('autocannon');

const [port] = process.argv.slice(2);
const ROUTES = ['/search', '/plan', '/rank', '/store'];

function bodyOf(route, seed) {
  const item = (_, i) => ({ id: i, topic: `topic-${(i * seed) % 11}`, cost: ((i * 37 * seed) % 100) / 100 });
  return JSON.stringify({ route, items: Array.from({ length: 50 }, item) });
}

const requests = ROUTES.map((path, i) => ({
  method: 'POST',
  path,
  body: bodyOf(path, i + 3),
  headers: { 'content-type': 'application/json', 'x-tenant': String(i) },
}));

/** Resolves to the number of requests that failed. */
function send(amount) {
  return new Promise((resolve) => {
    let left = amount;
    let failed = 0;
    const done = (isBad) => {
      failed += Number(isBad);
      if (--left === 0) resolve(failed);
    };
    autocannon({ url: `http://127.0.0.1:${port}`, connections: 16, amount, requests }, () => undefined)
      .on('response', (_client, status) => done(status < 200 || status > 299))
      .on('reqError', () => done(true));
  });
}

process.on('message', async ({ amount }) => {
  const failed = await send(amount);
  process.send({ requests: amount - failed, failed });
});
process.on('disconnect', () => process.exit(0));
process.send('ready');
