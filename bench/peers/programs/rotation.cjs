// The loop that watches itself (bench/workloads/gaps-loop.cjs) while its profiler cuts a window each second.
//
// Truth: { perSecond: [{ gapMs, heldMs }] }, the longest gap of each second.

const { watch } = require('../../workloads/gaps-loop.cjs');

module.exports = { prepare: () => undefined, run: ({ seconds }) => watch({ seconds }) };
