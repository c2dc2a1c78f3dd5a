// An HTTP JSON server under load: a unit is 100 requests (a JSON body of some 2 KB in, work on it, JSON out), each in a span with labels. The requests come
// from another process (load.cjs), whose CPU is not this one's.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { join } = require('node:path');

const REQUESTS = 100;

function answer(text) {
  const { items, route } = JSON.parse(text);
  const totals = new Map();
  for (const { topic, cost } of items) totals.set(topic, (totals.get(topic) ?? 0) + cost);
  const top = [...totals].sort((a, b) => b[1] - a[1]).slice(0, 5);
  return JSON.stringify({ route, top, items: items.filter(({ cost }) => cost > 0.5).map(({ id, topic }) => ({ id, topic })) });
}

async function bodyOf(request) {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += chunk;
  return text;
}

/** The server, listening; each request goes through `program.span(name, labels, fn)`. Also bench/workloads/request.cjs's. */
async function serverFor(program) {
  const serve = async (request, response) => {
    const text = await bodyOf(request);
    const body = answer(text);
    response.setHeader('content-type', 'application/json');
    response.end(body);
  };
  const fail = (response) => (error) => {
    response.statusCode = 500;
    response.end(String(error));
  };
  const server = createServer((request, response) => {
    const labels = { route: request.url, tenant: `tenant-${request.headers['x-tenant']}` };
    program.span('request', labels, () => serve(request, response)).catch(fail(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

exports.serverFor = serverFor;

exports.prepare = async ({ program }) => {
  const server = await serverFor(program);
  const clients = fork(join(__dirname, '..', '..', 'suite', 'load.cjs'), [String(server.address().port)], {
    execArgv: [],
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(clients, 'exit').then(([code]) => Promise.reject(new Error(`the load generator ended with ${code}`)));
  ended.catch(() => undefined);
  const told = () => Promise.race([once(clients, 'message').then(([message]) => message), ended]);
  await told();
  return {
    run: async (units) => {
      clients.send({ amount: units * REQUESTS });
      return await told();
    },
    end: async () => {
      clients.disconnect();
      server.close();
      server.closeAllConnections();
    },
  };
};
