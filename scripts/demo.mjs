// `npm run demo`: profiles examples/agent.mjs with the command line, leaves report and profile in strobe-out/, and says whose CPU it was: by agent, by tool.
//
// Contract: stdio is the program's, the exit code (or signal) is the one of `strobe run`. AGENT_SECONDS shortens the demo.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './build-native.mjs';

const cli = join(root, 'dist', 'cli', 'main.js');
if (!existsSync(cli)) {
  console.error('demo: dist/cli/main.js is missing: run npm run build first (npm run demo does).');
  process.exit(1);
}
const OUT = 'strobe-out';

/** The groups of `strobe report --by LABEL`, without the functions above them, which `strobe run` has just shown. */
function showGroups(file, labels) {
  const require = createRequire(join(root, 'dist', 'index.js'));
  const { decode } = require('./pprof/decode.js');
  const { buildReport } = require('./formats/report.js');
  const { humanise, percent } = require('./formats/units.js');
  const profile = decode(readFileSync(join(root, file)), file);
  for (const by of labels) {
    const { groups, total, sampleType } = buildReport(profile, { by });
    console.error(`\n    value         ${by}`);
    for (const row of groups.rows) {
      const value = humanise(row.total, sampleType.unit).padStart(9);
      console.error(
        `${value} ${percent(row.total, total).padStart(6)}  ${(row.value ?? '(no such label)').padEnd(15)}  most in ${row.topFunction}`,
      );
    }
  }
  console.error(`more: npx strobe report ${file} --by session, or only one tool: --label tool=fetchPage`);
}

const child = spawn(process.execPath, [cli, 'run', '--out', OUT, 'examples/agent.mjs'], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal)); // the profiled program decides how it ends
child.on('exit', (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exitCode = code;
    const file = join(OUT, 'cpu.pb.gz');
    if (code === 0 && existsSync(join(root, file))) showGroups(file, ['agent', 'tool']);
  }
});
