// A Pyroscope that only takes: counts and keeps what is sent to it, in a process of its own, so that its CPU is nobody's. A child with IPC: says its port, then, until
// { end }: { open: run, folder } puts what comes under the path /run from then on into that folder (none: it is only counted), one pprof a file; { close: run } is
// answered with { close: run, bodies, bytes }, what came there.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

/** By the first part of the path: { folder, bodies, bytes, files }. */
const runs = new Map();

/** The length-delimited fields `number` of a protobuf message. */
function* fields(message, number) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if (tag % 8 !== 2) throw new Error(`wire type ${tag % 8} in a push`);
    const length = varint();
    if (tag >>> 3 === number) yield message.subarray(at, at + length);
    at += length;
  }
}

/** push.v1: PushRequest { series = 1 { samples = 2 { raw_profile = 1 } } }; /ingest of @pyroscope/nodejs: the pprof itself. */
function* profilesIn(url, body) {
  if (url.startsWith('/ingest')) yield body;
  else for (const series of fields(body, 1)) for (const sample of fields(series, 2)) yield* fields(sample, 1);
}

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const [, name, path] = /^\/([^/]*)(.*)$/.exec(request.url) ?? [];
  const run = runs.get(name);
  // What comes after a run's end is nobody's.
  if (run) {
    run.bodies++;
    run.bytes += body.length;
    if (run.folder) for (const profile of profilesIn(path, body)) writeFileSync(join(run.folder, `sink-${run.files++}.pb.gz`), profile);
  }
  response.writeHead(200, { 'content-type': path?.startsWith('/ingest') ? 'text/plain' : 'application/proto' });
  response.end();
});
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', (message) => {
  if (message.end) process.exit(0);
  if (message.open) runs.set(message.open, { folder: message.folder, bodies: 0, bytes: 0, files: 0 });
  if (message.close) {
    const { bodies, bytes } = runs.get(message.close);
    runs.delete(message.close);
    process.send({ close: message.close, bodies, bytes });
  }
});
process.on('disconnect', () => process.exit(0));
