// Maps slices of the scripts 0.js, 1.js … in the folder given, each twice, in one mapper, and prints what that took as JSON. Run with a small heap: what maps
// cost must not be there.

const { join } = require('node:path');
const { SliceMapper } = require(join(process.env.STROBE_DIST, 'pprof', 'source-maps', 'mapper.js'));

const [dir, count] = process.argv.slice(2);
const rssMb = (bytes) => Math.round(bytes / 1e6);

/** One function at 1:1 with frames all over its line. */
function slice(index) {
  const frames = Array.from({ length: 200 }, (_, n) => n);
  return {
    endUnixMs: Date.now() + 1000,
    strings: ['', 'f', join(dir, `${index}.js`), `${index}.js.map`],
    functionName: Uint32Array.of(1),
    functionFile: Uint32Array.of(2),
    functionLine: Uint32Array.of(1),
    functionColumn: Uint32Array.of(1),
    functionKind: Uint8Array.of(0),
    functionMapKind: Uint8Array.of(1),
    functionMapUrl: Uint32Array.of(3),
    frameFunction: new Uint32Array(frames.length),
    frameLine: Uint32Array.from(frames, () => 1),
    frameColumn: Uint32Array.from(frames, (n) => 1 + 2 * n * 37),
  };
}

const startRssMb = rssMb(process.memoryUsage.rss());
const mapper = new SliceMapper();
let mostBytes = 0;
for (let step = 0; step < 2 * count; step++) {
  const index = step % count;
  const { slice: mapped } = mapper.apply(slice(index));
  mostBytes = Math.max(mostBytes, mapper.counts.bytes);
  // Frame 100 stands on segment 3700: three times a thousand, three lines each.
  const place = `${mapped.strings[mapped.functionFile[mapped.frameFunction[100]]]}:${mapped.frameLine[100]}`;
  if (place !== `${join(dir, 'a.ts')}:10`) throw new Error(`${index}: ${place}; ${mapper.firstFailure}`);
}
const peakRssMb = rssMb(process.resourceUsage().maxRSS * 1024);
console.log(JSON.stringify({ mostBytes, startRssMb, peakRssMb, loaded: mapper.counts.loaded }));
