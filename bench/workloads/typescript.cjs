// The TypeScript compiler type-checks this repository's src/ with its own tsconfig, BENCH_ROUNDS times from nothing: a large program with thousands of
// functions, megamorphic calls, deep stacks and much garbage. Prints the number of files checked.

const { dirname, join } = require('node:path');
const ts = require('typescript');

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 2);
const config = join(__dirname, '..', '..', 'tsconfig.json');
const read = ts.readConfigFile(config, ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(read.config, ts.sys, dirname(config));
let files = 0;
for (let round = 0; round < ROUNDS; round++) {
  const program = ts.createProgram(fileNames, { ...options, noEmit: true, incremental: false, composite: false });
  ts.getPreEmitDiagnostics(program);
  files += program.getSourceFiles().length;
}
console.log(files);
