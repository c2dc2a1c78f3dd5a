// `npm run test:fuzz [-- --seconds N] [--seed N] [--libfuzzer] [target…]`: feeds damaged and random bytes to every decoder of V8's memory
// (native/test/fuzz), each built with AddressSanitizer and UndefinedBehaviorSanitizer.
//
// Contract: each target runs for N seconds (5) with the driver of the repository, whose inputs are the same for the same seed (1); a failure
// prints the input and how to run it again. `--libfuzzer` takes clang's driver instead ($CXX or clang++), which looks for new inputs by
// coverage and keeps those it found in build-fuzz-clang/corpus. One line a target, last line `N passed, N failed`, exit code 1 on a failure,
// 2 on a usage error.

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildCpp, passInterruptsOn, runLimited, tally } from '../test/run.mjs';
import { ASAN_OPTIONS, SANITIZED, UBSAN_OPTIONS } from './asan.mjs';
import { compilerAccepts, isMain, root } from './build-native.mjs';

const SUFFIX = '_fuzz.cc';
const TARGETS = readdirSync(join(root, 'native/test/fuzz'))
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length))
  .sort();
/** Beside the time asked for: start, seeds, and one input that takes too long. */
const SLACK_MS = 60_000;

const DRIVERS = {
  own: {
    dir: 'build-asan',
    besideAddon: true,
    compiler: 'g++',
    flags: ['-std=c++20', '-fsanitize=address,undefined'],
    needs: 'g++ with libasan and libubsan (Debian: g++; Fedora: gcc-c++ libasan libubsan)',
    args: ({ seconds, seed }) => ['--seconds', String(seconds), '--seed', String(seed)],
    note: (output) => output.match(/\d+ inputs in [\d.]+ s, \d+ a second/)?.[0],
  },
  libfuzzer: {
    dir: 'build-fuzz-clang',
    compiler: process.env.CXX ?? 'clang++',
    flags: ['-std=c++20', '-fsanitize=address,undefined,fuzzer-no-link'],
    needs: "clang's sanitizers and libFuzzer (Debian: clang; Fedora: clang compiler-rt)",
    args: ({ seconds, seed }, corpus) => [`-max_total_time=${seconds}`, `-seed=${seed}`, '-print_final_stats=1', '-timeout=20', corpus],
    note: (output) => output.match(/number_of_executed_units: *\d+/)?.[0].replace(/.*: */, 'inputs: '),
  },
};

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      libfuzzer: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.find((name) => !TARGETS.includes(name));
  if (unknown !== undefined) throw new Error(`no target '${unknown}'; there are: ${TARGETS.join(', ')}`);
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds > 0) || !Number.isSafeInteger(seed) || seed < 1)
    throw new Error('--seconds takes a number above 0, --seed a whole one above 0');
  return { seconds, seed, driver: values.libfuzzer ? 'libfuzzer' : 'own', targets: positionals.length > 0 ? positionals : TARGETS };
}

async function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(`fuzz: ${error.message}\nusage: npm run test:fuzz [-- --seconds N] [--seed N] [--libfuzzer] [target…]`);
    return 2;
  }
  const results = tally();
  const { dir, besideAddon, compiler, flags, needs, args, note } = DRIVERS[asked.driver];
  if (!compilerAccepts(compiler, flags)) {
    results.fail('fuzz', `missing: ${needs}`);
    return results.end();
  }
  process.env.CXX = compiler;
  const programs = asked.targets.map((name) => `fuzz_${name}`);
  const built = buildCpp({ dir, targets: programs, besideAddon, defines: { ...SANITIZED, STROBE_FUZZER: asked.driver } });
  if (!built.ok) {
    results.fail('fuzz', built.note, built.log);
    return results.end();
  }
  for (const program of programs) {
    const corpus = join('corpus', program);
    mkdirSync(join(root, dir, corpus), { recursive: true });
    const end = await runLimited(join(root, dir, program), args(asked, corpus), {
      limitMs: asked.seconds * 1000 + SLACK_MS,
      env: { ASAN_OPTIONS, UBSAN_OPTIONS, STROBE_FUZZ_SEEDS: corpus },
      cwd: join(root, dir),
    });
    const how = end.timedOut ? 'did not end' : end.signal ? `died by ${end.signal}` : `exit code ${end.status}`;
    const found = note(end.output);
    if (end.status === 0 && !end.timedOut && found) results.add(program, { passed: 1, seconds: end.seconds, note: found });
    else
      results.add(program, {
        failed: 1,
        seconds: end.seconds,
        note: `${how}; seed ${asked.seed}; what it wrote stands in ${dir}/`,
        output: end.output,
      });
  }
  return results.end();
}

if (isMain(import.meta.url)) {
  passInterruptsOn();
  process.exitCode = await main();
}
