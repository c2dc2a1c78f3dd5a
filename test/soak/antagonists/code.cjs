// Code that comes and goes: new functions, WebAssembly modules, contexts, modules with source maps, and exceptions through all of it.

const { unlinkSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const vm = require('node:vm');
const { wasmBytes, workIn } = require('../work.cjs');

const functions = {
  every: 250,
  make: ({ random, count }) => {
    let made = 0;
    return async () => {
      const n = random.int(50, 300);
      for (let i = 0; i < n; i++) {
        const body = `let x = ${made++}; for (let i = 0; i < a; i++) x = (x * 31 + i) | 0; return x;`;
        // biome-ignore lint/security/noGlobalEval: that is what is tried
        const evaluate = globalThis.eval;
        const f = random.next() < 0.9 ? new Function('a', body) : evaluate(`(function made${made}(a) { ${body} })`);
        // A few become hot: they are optimised and thrown away.
        const calls = random.next() < 0.02 ? 3000 : 3;
        for (let c = 0; c < calls; c++) f(20);
      }
      count('functions', n);
    };
  },
};

const wasm = {
  every: 500,
  make: ({ random, count, fail }) => {
    let made = 0;
    return async () => {
      const bytes = wasmBytes(made++);
      const module = random.next() < 0.5 ? new WebAssembly.Module(bytes) : await WebAssembly.compile(bytes);
      const instance = random.next() < 0.5 ? new WebAssembly.Instance(module) : await WebAssembly.instantiate(module);
      for (let i = 0; i < 100; i++) instance.exports.f(1000);
      // Refused modules and traps go through V8's signal handler and its unwinder.
      try {
        new WebAssembly.Module(bytes.subarray(0, 20));
        fail('half a module was accepted');
      } catch (error) {
        if (!(error instanceof WebAssembly.CompileError)) throw error;
      }
      count('modules');
    };
  },
};

const contexts = {
  every: 500,
  make: ({ random, count }) => {
    let made = 0;
    return async () => {
      const context = vm.createContext({ seen: [] });
      const source = `function inContext${made % 100}(n) { let x = ${made++}; for (let i = 0; i < n; i++) x += i % 7; return x; } seen.push(inContext${(made - 1) % 100}(20000));`;
      const script = new vm.Script(source, { filename: `context-${made % 10}.js` });
      script.runInContext(context, { timeout: 60_000 }); // on a machine without a free core a short one is another test
      if (random.next() < 0.3) script.createCachedData();
      if (random.next() < 0.1) {
        try {
          vm.runInContext('for (;;) seen.length = 0;', context, { timeout: 5 });
        } catch (error) {
          if (error.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
          count('timeouts');
        }
      }
      count('contexts');
    };
  },
};

/** One line of output to one of input, `lines` of them, in the encoding of source maps: A is 0, C is +1. */
const mappings = (lines) => Array.from({ length: lines }, (_, line) => (line === 0 ? 'AAAA' : 'AACA')).join(';');

const sourceMaps = {
  every: 400,
  make: ({ random, count, dir }) => {
    let made = 0;
    return async () => {
      const n = made++;
      const file = join(dir, `module-${n % 40}.js`);
      const lines = [`exports.work${n % 40} = function work(workIn) {`, `  return workIn(${random.int(1, 4)}) + ${n};`, '};'];
      const map = {
        version: 3,
        file,
        sources: [`original-${n % 40}.ts`],
        sourcesContent: [lines.join('\n')],
        names: [],
        mappings: mappings(3),
      };
      // A name for each load: the map is another one each time.
      const beside = `module-${n % 40}-${n}.js.map`;
      const kind = random.among(['inline', 'beside', 'missing', 'broken']);
      const text = kind === 'broken' ? '{"version":3,"mappings":"!!!' : JSON.stringify(map);
      const url = kind === 'inline' ? `data:application/json;base64,${Buffer.from(text).toString('base64')}` : beside;
      if (kind === 'beside' || kind === 'broken') writeFileSync(join(dir, beside), text);
      writeFileSync(file, `${lines.join('\n')}\n//# sourceMappingURL=${url}\n`);
      const load = createRequire(file);
      load(file)[`work${n % 40}`](workIn);
      delete require.cache[file];
      // Where the encoder has not read it by now, it is gone: that is a case too.
      if (kind === 'beside' || kind === 'broken') unlinkSync(join(dir, beside));
      count(kind);
    };
  },
};

function deep(n) {
  if (n === 0) throw new RangeError('thrown on purpose');
  return deep(n - 1) + 1;
}
const endless = () => endless() + 1;

const exceptions = {
  every: 200,
  make:
    ({ random, count, fail }) =>
    async () => {
      for (let i = 0; i < 50; i++) {
        try {
          deep(random.int(1, 100));
          fail('nothing was thrown');
        } catch (error) {
          if (random.next() < 0.2 && !error.stack.includes('deep')) fail('a stack without its function');
        }
      }
      try {
        endless();
        fail('a stack without end');
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      const settled = await Promise.allSettled([Promise.reject(new Error('rejected on purpose')), Promise.any([Promise.reject(1)])]);
      if (settled.some(({ status }) => status !== 'rejected')) fail('a rejection was lost');
      const prepare = Error.prepareStackTrace;
      Error.prepareStackTrace = (_, sites) => sites.length;
      try {
        if (typeof new Error('counted').stack !== 'number') fail('prepareStackTrace was not asked');
      } finally {
        Error.prepareStackTrace = prepare;
      }
      count('rounds');
    },
};

module.exports = { functions, wasm, contexts, sourceMaps, exceptions };
