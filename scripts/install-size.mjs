// What OpenTelemetry's packages weigh beside strobe's own: `node scripts/install-size.mjs` installs each set into an empty folder and prints its size on disk
// (blocks, as `du -sk` counts) and its number of packages. The figures decide what package.json makes a dependency (docs/spans.md).

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnv, root, run } from './build-native.mjs';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const own = Object.entries(manifest.dependencies).map(([name, version]) => `${name}@${version}`);
const sdk = (...names) => names.map((name) => `@opentelemetry/${name}@${manifest.devDependencies[`@opentelemetry/${name}`]}`);

const SETS = {
  "strobe's dependencies": own,
  'with the API': [...own, ...sdk('api')],
  'with the SDK': [...own, ...sdk('api', 'core', 'resources', 'sdk-trace-base')],
  'with the SDK and the OTLP exporter': [...own, ...sdk('api', 'core', 'resources', 'sdk-trace-base', 'exporter-trace-otlp-proto')],
};

for (const [name, packages] of Object.entries(SETS)) {
  const dir = mkdtempSync(join(tmpdir(), 'strobe-size-'));
  try {
    writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
    const flags = ['--prefix', dir, '--ignore-scripts', '--no-audit', '--no-fund'];
    const done = run('npm', ['install', ...flags, ...packages], { cwd: dir, env: cleanEnv() });
    if (!done.ok) throw new Error(`npm could not install ${packages.join(' ')}:\n${done.log}`);
    const kib = Number(run('du', ['-sk', join(dir, 'node_modules')]).log.split(/\s/)[0]);
    const count = Object.keys(JSON.parse(readFileSync(join(dir, 'package-lock.json'), 'utf8')).packages).length - 1;
    console.log(`${name.padEnd(36)} ${(kib / 1024).toFixed(1).padStart(5)} MiB, ${count} packages`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
