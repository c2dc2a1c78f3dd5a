// Clients of bench/workloads/request.cjs, in a process of their own: `node request-client.cjs PORT`. On { amount } it sends that many requests over connections that stay
// open, the next one when the last is answered, and answers { failed }. Ends when its parent goes.
//
// No HTTP library: blocks of a few milliseconds are measured, and new connections for each would be most of one.

const { connect } = require('node:net');

const CONNECTIONS = 16;
const ROUTES = ['/search', '/plan', '/rank', '/store'];

function requestFor(route, tenant) {
  const item = (_, i) => ({ id: i, topic: `topic-${(i * (tenant + 3)) % 11}`, cost: ((i * 37 * (tenant + 3)) % 100) / 100 });
  const body = JSON.stringify({ route, items: Array.from({ length: 50 }, item) });
  const head = [
    `POST ${route} HTTP/1.1`,
    'host: bench',
    'content-type: application/json',
    `x-tenant: ${tenant}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const requests = ROUTES.map(requestFor);
let sent = 0;
let left = 0;
let open = 0;
let failed = 0;

/** Calls `answered(ok)` for each whole response. */
function readResponses(socket, answered) {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
    const head = text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
    const whole = length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= head + 4 + Number(length);
    if (!whole) return;
    const ok = text.startsWith('HTTP/1.1 200 ');
    text = '';
    answered(ok);
  });
}

function next(socket) {
  if (left > 0) {
    left--;
    open++;
    socket.write(requests[sent++ % requests.length]);
  } else if (open === 0) process.send({ failed });
}

const sockets = Array.from({ length: CONNECTIONS }, () => {
  const socket = connect(Number(process.argv[2]), '127.0.0.1').setNoDelay(true);
  readResponses(socket, (ok) => {
    open--;
    failed += Number(!ok);
    next(socket);
  });
  return socket;
});

process.on('message', ({ amount }) => {
  left = amount;
  failed = 0;
  for (const socket of sockets) if (left > 0) next(socket);
});
process.on('disconnect', () => process.exit(0));
process.send('ready');
