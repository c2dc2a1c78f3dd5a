// How Datadog's tracer sets @datadog/pprof's wall profiler at 100 Hz: contexts and CPU time, no lines.

exports.TRACER_OPTIONS = {
  intervalMicros: 10_000,
  durationMillis: 60_000,
  withContexts: true,
  collectCpuTime: true,
  lineNumbers: false,
};
