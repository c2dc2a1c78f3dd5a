// What the tests of spans share: profiles read back as samples, OpenTelemetry SDKs fetched on demand.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnv, run } from '../scripts/build-native.mjs';
import { decode, ROOT } from './helpers.mjs';

/** The samples of a profile: { labels, value (nanoseconds), names (functions, leaf first) }. */
export function samplesOf(bytes) {
  const profile = decode(bytes, 'spans');
  return profile.samples.map((sample) => ({
    labels: Object.fromEntries(sample.labels.map(({ key, str, num }) => [key, str || num])),
    value: sample.values[1],
    names: sample.locations.flatMap((index) => profile.locations[index].lines.map(({ function: f }) => profile.functions[f].name)),
  }));
}

/** The SDK lines that applications use, and what each is made of. */
export const LINES = {
  2: ['@opentelemetry/api@1.9.1', '@opentelemetry/sdk-node@0.223.0', '@opentelemetry/sdk-trace-node@2.12.0'],
  3: ['@opentelemetry/api@1.10.0', '@opentelemetry/sdk-node@0.301.0'],
};

/** A folder whose node_modules has the line, kept in .cache; undefined (and why) when npm can't fetch it. */
export function otelLine(line) {
  const dir = join(ROOT, '.cache', `otel-${line}`);
  const there = join(dir, 'node_modules', '@opentelemetry', 'sdk-node', 'package.json');
  if (existsSync(there)) return { dir };
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
  const flags = ['--prefix', dir, '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const install = run('npm', ['install', ...flags, ...LINES[line]], { cwd: dir, env: cleanEnv() });
  return existsSync(there) ? { dir } : { why: `npm could not fetch ${LINES[line].join(' ')}: ${install.log.trim().split('\n').at(-1)}` };
}

export const PROGRAMS = join(ROOT, 'test', 'programs', 'spans');
