// Streams, zlib, crypto: a unit is 1 MB of text through gzip, AES-256-CTR and SHA-256, piece by piece, under a label. The pool's threads do the gzip.

const { createCipheriv, createHash } = require('node:crypto');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { createGzip } = require('node:zlib');

const CHUNK = 16 * 1024;
const CHUNKS = 64;

function chunkOf(seed) {
  const words = ['agent', 'plan', 'span', 'token', 'session', 'profile', 'stack', 'queue'];
  let x = seed;
  let text = '';
  while (text.length < CHUNK) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    text += `${words[x % 8]}-${(x >>> 8) % 1000} `;
  }
  return Buffer.from(text.slice(0, CHUNK));
}

exports.prepare = async ({ program }) => {
  const chunks = Array.from({ length: CHUNKS }, (_, i) => chunkOf(i + 1));
  const key = Buffer.alloc(32, 7);
  const pass = async () => {
    const hash = createHash('sha256');
    const sink = new Writable({
      write(piece, _encoding, done) {
        hash.update(piece);
        done();
      },
    });
    await pipeline(Readable.from(chunks), createGzip({ level: 1 }), createCipheriv('aes-256-ctr', key, key.subarray(16)), sink);
    return hash.digest('hex');
  };
  return {
    run: async (units) => {
      for (let i = 0; i < units; i++) await program.label({ stream: `stream-${i % 8}` }, pass);
    },
  };
};
