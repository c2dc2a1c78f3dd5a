// The TypeScript compiler type-checks this repository's src/ with its own tsconfig, from nothing: a large program with thousands of functions, megamorphic
// calls, deep stacks and much garbage. check() returns the number of files checked; check('export') is about src/export and all that it imports, which is a third of it.

const { dirname, join } = require('node:path');
const ts = require('typescript');

const config = join(__dirname, '..', '..', '..', 'tsconfig.json');
const read = ts.readConfigFile(config, ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(read.config, ts.sys, dirname(config));

exports.check = (part = '') => {
  const files = fileNames.filter((name) => name.includes(`/src/${part}`));
  const program = ts.createProgram(files, { ...options, noEmit: true, incremental: false, composite: false });
  const wrong = ts.getPreEmitDiagnostics(program);
  if (wrong.length > 0) throw new Error(`src/ does not check: ${ts.flattenDiagnosticMessageText(wrong[0].messageText, ' ')}`);
  return program.getSourceFiles().length;
};
