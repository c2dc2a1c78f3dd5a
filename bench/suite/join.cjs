// Required in a Worker of a program under a peer: joins that thread, as the peer's preload in NODE_OPTIONS would.

require('./profilers.cjs').joinThread(JSON.parse(process.env.BENCH_RUN));
