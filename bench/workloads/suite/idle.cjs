// An HTTP server that gets no request: a unit is one second of that.

const { once } = require('node:events');
const { createServer } = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');

exports.prepare = async () => {
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { run: (units) => sleep(units * 1000), end: async () => server.close() };
};
