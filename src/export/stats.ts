// What delivery counts, and how an application's thread reads it.
//
// The encoder publishes its counts into shared memory as JSON behind a version number (odd while it writes), so `stats()` is an ordinary synchronous call: it
// needs no message, no turn of the event loop, and works while either thread is busy. One writer, any number of readers.

/** Of one exporter, since the start. `delivered + failed + dropped… ` counts entries, also those that an earlier process left in the spool. */
export interface ExporterStats {
  kind: 'file' | 'pyroscope' | 'otlp' | 'pull';
  /** Directory, endpoint or address; no secrets. */
  target: string;
  /** Profiles handed to it. */
  accepted: number;
  /** Arrived (pull: answered). */
  delivered: number;
  /** Refused for good by the receiver, or not encodable. */
  failed: number;
  /** Attempts that failed and are repeated. */
  retried: number;
  /** Waiting in memory now. */
  queued: number;
  queuedBytes: number;
  /** Waiting on disk now, all processes'. */
  spooled: number;
  spooledBytes: number;
  droppedByAge: number;
  droppedByBytes: number;
  /** In memory when the process ended, with no disk to go to. */
  droppedAtExit: number;
  /** Spooled files that were not what had been written. */
  damaged: number;
  /** Entries that a dead process had claimed. */
  takenOver: number;
  /** Profiles that a receiver left out of a request that it took (OTLP's partial success). */
  partlyRejected: number;
  /** The spool's directory; 'off'; or 'off: ' and why. */
  spool: string;
  /** '' for none. */
  lastError: string;
  /** 0 for never. */
  lastErrorUnixMs: number;
  /** More facts of its kind: compression, labels folded, address of the server. */
  notes: Record<string, string | number>;
}

const BYTES_FOR_EACH = 4096;
const HEADER_BYTES = 8;
const VERSION = 0;
const LENGTH = 1;

export function sharedStats(exporters: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + Math.max(1, exporters) * BYTES_FOR_EACH);
}

/** The encoder's side. */
export function publishStats(shared: SharedArrayBuffer, stats: ExporterStats[]): void {
  const header = new Int32Array(shared, 0, 2);
  const room = shared.byteLength - HEADER_BYTES;
  let bytes = Buffer.from(JSON.stringify(stats));
  // Texts are the only parts that may be long.
  for (let chars = 500; bytes.length > room && chars >= 0; chars -= 100) {
    const cut = (text: string) => text.slice(0, chars);
    bytes = Buffer.from(
      JSON.stringify(
        stats.map((one) => ({
          ...one,
          target: cut(one.target),
          lastError: cut(one.lastError),
          spool: cut(one.spool),
          notes: chars > 0 ? one.notes : {},
        })),
      ),
    );
  }
  Atomics.add(header, VERSION, 1);
  new Uint8Array(shared, HEADER_BYTES).set(bytes.subarray(0, room));
  Atomics.store(header, LENGTH, bytes.length);
  Atomics.add(header, VERSION, 1);
}

/** The reader's side; [] before the first publication. */
export function readStats(shared: SharedArrayBuffer): ExporterStats[] {
  const header = new Int32Array(shared, 0, 2);
  // A write takes microseconds; a writer that was killed inside one never ends it.
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const version = Atomics.load(header, VERSION);
    if (version % 2 !== 0) continue;
    const bytes = Buffer.from(new Uint8Array(shared, HEADER_BYTES, Atomics.load(header, LENGTH)));
    if (Atomics.load(header, VERSION) !== version) continue;
    return bytes.length === 0 ? [] : (JSON.parse(bytes.toString()) as ExporterStats[]);
  }
  return [];
}
