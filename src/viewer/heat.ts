// The heat map's cells: a column is `columnBuckets` of the time line (a second, or more when the run is long), a row a part of it. Cells hold the value of the
// samples that the label filters let through. Bounded: a stranger's time line may claim any length.

import type { TimeColumns } from '../formats/flamegraph/page-data';

export interface Heat {
  columns: number;
  rows: number;
  /** Buckets of the time line a cell. */
  cellBuckets: number;
  bucketMs: number;
  startUnixMs: number;
  /** One behind the last bucket with a value. */
  endBucket: number;
  /** Column by column: cells[column * rows + row]; row 0 is the earliest part. */
  cells: Float64Array;
  max: number;
}

const MS_PER_SECOND = 1000;
/** More are thinner than can be pointed at, and at 100 Hz a cell would hold one sample or none. */
const MOST_ROWS = 25;
/** Seconds a column: steps that people count in. */
const COLUMN_SECONDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];

/** @param mostColumns how many fit the width */
export function heatCells(time: TimeColumns, rowSet: Uint32Array, allowed: Uint8Array, mostColumns: number): Heat {
  const { bucketMs, bucket, row, value, startUnixMs } = time;
  const endBucket = bucket.length === 0 ? 0 : (bucket.at(-1) as number) + 1;
  const endSeconds = (endBucket * bucketMs) / MS_PER_SECOND;
  const seconds = COLUMN_SECONDS.find((step) => endSeconds / step <= mostColumns) ?? Math.ceil(endSeconds / mostColumns);
  // A whole number of buckets a cell and of cells a column; a bucket that no second is a multiple of makes the column a little longer than asked for.
  const columnBuckets = Math.max(1, Math.round((seconds * MS_PER_SECOND) / bucketMs));
  let cellBuckets = Math.max(1, Math.ceil(columnBuckets / MOST_ROWS));
  const rows = Math.max(1, Math.ceil(columnBuckets / cellBuckets));
  // Buckets longer than the column that fits.
  cellBuckets = Math.max(cellBuckets, Math.ceil(endBucket / (rows * mostColumns)));
  const columns = Math.max(1, Math.ceil(endBucket / (rows * cellBuckets)));
  const cells = new Float64Array(columns * rows);
  let max = 0;
  for (let i = 0; i < bucket.length; i++) {
    if (!allowed[rowSet[row[i] as number] as number]) continue;
    const cell = Math.floor((bucket[i] as number) / cellBuckets);
    const sum = (cells[cell] as number) + (value[i] as number);
    cells[cell] = sum;
    if (sum > max) max = sum;
  }
  return { columns, rows, cellBuckets, bucketMs, startUnixMs, endBucket, cells, max };
}
