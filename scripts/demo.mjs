// `npm run demo`: profiles examples/agent.mjs with the command line and leaves flame graph, report and profile in strobe-out/.
//
// Contract: stdio is the program's, the exit code (or signal) is the one of `strobe run`. AGENT_SECONDS shortens the demo.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './build-native.mjs';

const cli = join(root, 'dist', 'cli', 'main.js');
if (!existsSync(cli)) {
  console.error('demo: dist/cli/main.js is missing: run npm run build first (npm run demo does).');
  process.exit(1);
}
const child = spawn(process.execPath, [cli, 'run', '--out', 'strobe-out', 'examples/agent.mjs'], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal)); // the profiled program decides how it ends
child.on('exit', (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exitCode = code;
  }
});
