// Start-up of a large application: loads big packages, makes a little use of each, and is ready. One unit is all of it.

exports.prepare = async () => ({
  run: async () => {
    const ts = require('typescript');
    ts.transpileModule('export const answer: number = 42;', {});
    require('esbuild');
    require('playwright-core');
    require('autocannon');
    require('protobufjs').parse('syntax = "proto3"; message A { string b = 1; }');
    require('@opentelemetry/sdk-trace-base');
    require('@opentelemetry/exporter-trace-otlp-proto');
    require('smol-toml').parse('a = 1');
  },
});
