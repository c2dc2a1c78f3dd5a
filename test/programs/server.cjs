// A small JSON HTTP server for load from outside. Prints its port; ends when stdin closes or after two minutes.
const { createServer } = require('node:http');
const { createHash } = require('node:crypto');

const rows = Array.from({ length: 200 }, (_, i) => ({ id: i, name: `row ${i}`, tags: ['a', 'b', `t${i % 7}`], score: Math.sin(i) }));

function selectRows(query) {
  return rows.filter(({ tags }) => tags.includes(`t${query % 7}`)).sort((a, b) => b.score - a.score);
}
function render(found) {
  return JSON.stringify({ found, etag: createHash('sha1').update(String(found.length)).digest('hex') });
}

let requests = 0;
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(render(selectRows(requests++)));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
setTimeout(() => process.exit(1), 120_000).unref();
