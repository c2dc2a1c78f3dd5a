// The configuration of the preload: strobe.toml and STROBE_* variables become the same options as startProfiler takes; every mistake names file, line and key (or the
// variable) and the nearest right one, shows no value that may be a secret, and leaves the application running.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pyroscope } from './delivery-helpers.mjs';
import { DIST, folder, program, REGISTER, ROOT, runNode } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { readConfig } = require(join(DIST, 'config', 'file.js'));
const { readEnvironment, misspelt } = require(join(DIST, 'config', 'environment.js'));
const { StrobeError } = require(join(DIST, 'errors.js'));

const WHOLE = `
[telemetry]
enabled = true
logging = true

[telemetry.tracing]
enabled = true
[telemetry.tracing.otlp.headers]
"x-api-key" = "\${NOT_SET_AND_NOT_ASKED_FOR}"

[telemetry.metrics]
enabled = true

[telemetry.profiling]
enabled = true

[telemetry.profiling.cpu]
enabled = true
frequency = 100                   # Hz
continuous = true
duration_seconds = 30

[telemetry.profiling.memory]
enabled = true

[telemetry.profiling.exporter]
type = "pyroscope"
pyroscope_endpoint = "http://localhost:4040"
application_name = "zdk-rust-app"
`;

test('the whole document: used tables are read, later ones are named', () => {
  const { options, enabled, notUsed } = readConfig(WHOLE, 'strobe.toml', {});
  assert.ok(enabled);
  assert.equal(notUsed, ['telemetry.logging', 'telemetry.tracing', 'telemetry.metrics', 'telemetry.profiling.memory']);
  const { exporters, ...rest } = options;
  assert.equal(rest, { mode: ['cpu'], frequencyHz: 100, windowSeconds: 30, appName: 'zdk-rust-app' });
  assert.equal([exporters.length, exporters[0].kind, exporters[0].network.endpoint], [1, 'pyroscope', 'http://localhost:4040']);
});

test('several exporters, every key, variables', () => {
  const text = `
telemetry.profiling.application_name = "shop"
[telemetry.profiling]
source_maps = false
max_depth = 64
exit_timeout_seconds = 5
[telemetry.profiling.tags]
env = "\${ENV}"
price = "5 $\${x}"
[[telemetry.profiling.exporters]]
type = "otlp"
endpoint = "https://\${HOST}:4318"
path = "/api/default/v1development/profiles"
compression = "none"
token = "\${TOKEN}"
timeout_seconds = 3
headers = { "x-a" = "b" }
tls = { ca_file = "/etc/ca.pem" }
spool = { dir = "/var/spool/strobe", max_bytes = 10000000, max_age_seconds = 3600 }
[[telemetry.profiling.exporters]]
type = "file"
file_output_dir = "./profiles"
max_files = 10
[[telemetry.profiling.exporters]]
type = "pull"
port = 6060
`.replace('telemetry.profiling.application_name = "shop"\n', '');
  const { options } = readConfig(text, 'x.toml', { ENV: 'prod', HOST: 'collector', TOKEN: 'tok-12345' });
  const [otlp, file, pull] = options.exporters;
  assert.equal([options.sourceMaps, options.maxDepth, options.exitTimeoutSeconds], [false, 64, 5]);
  assert.equal(options.tags, { env: 'prod', price: '5 \u0024{x}' });
  assert.equal(
    [otlp.path, otlp.compression, otlp.network.endpoint],
    ['/api/default/v1development/profiles', 'none', 'https://collector:4318'],
  );
  assert.equal(otlp.network.headers, { 'x-a': 'b', authorization: 'Bearer tok-12345' });
  assert.equal([otlp.network.timeoutMs, otlp.network.spool.maxAgeMs, otlp.network.spool.asked], [3000, 3_600_000, true]);
  assert.equal([file.maxFiles, pull.port, pull.host], [10, 6060, '127.0.0.1']);
});

test('the examples in the guides are read', () => {
  const guide = readFileSync(join(ROOT, 'docs', 'configuration.md'), 'utf8');
  const [, block] = /```toml\n([\s\S]*?)```/.exec(guide);
  const env = { ENV: 'prod', PYROSCOPE_TOKEN: 'tok-12345', OTLP_TOKEN: 'tok-12345' };
  assert.is(readConfig(block, 'docs', env).options.exporters[0].network.spool.maxBytes, 268_435_456);
  const { options, notUsed } = readConfig(readFileSync(join(ROOT, 'examples', 'strobe.toml'), 'utf8'), 'examples', env);
  assert.equal(
    options.exporters.map(({ kind }) => kind),
    ['pyroscope', 'otlp', 'file', 'pull'],
  );
  assert.equal(notUsed, []);
});

test('switches: off means unprofiled; on demand keeps the pull exporter only', () => {
  assert.is(readConfig('[telemetry]\nenabled = false', 'x', {}).enabled, false);
  assert.is(readConfig('[telemetry.profiling]\nenabled = false', 'x', {}).enabled, false);
  assert.is(readConfig('[telemetry.profiling.cpu]\nenabled = false', 'x', {}).enabled, false);
  const both = readConfig('[telemetry.profiling.wall]\nenabled = true', 'x', {});
  assert.equal(both.options.mode, ['cpu', 'wall']);
  const onDemand = readConfig(
    '[telemetry.profiling.cpu]\ncontinuous = false\n[[telemetry.profiling.exporters]]\ntype = "file"\nfile_output_dir = "x"\n[[telemetry.profiling.exporters]]\ntype = "pull"\nport = 1',
    'x',
    {},
  );
  assert.equal(
    onDemand.options.exporters.map(({ kind }) => kind),
    ['pull'],
  );
  assert.match(onDemand.notUsed.join(), /continuous = false/);
});

const EXPORTER = '[telemetry.profiling.exporter]\ntype = "pyroscope"\n';
const MISTAKES = {
  'an unknown key': [
    '[telemetry.profiling.cpu]\n\nfrequenzy = 100',
    /^strobe\.toml line 3: telemetry\.profiling\.cpu\.frequenzy is not known; did you mean 'frequency'\?/,
  ],
  'an unknown table': [
    '[telemetry]\nenabled = true\n[telemetry.profilling]\n',
    /line 3: telemetry\.profilling is not known; did you mean 'profiling'/,
  ],
  'another program’s file': ['[package]\nname = "x"', /line 1: package is not known/],
  'a wrong type': ['[telemetry.profiling.cpu]\nfrequency = "100"', /line 2: .*frequency must be a number, got a text/],
  'out of range': [
    '[telemetry.profiling.cpu]\n# comment\nfrequency = 5000',
    /line 3: .*frequency must be a number from 1 to 1000, got 5000/,
  ],
  'no valid TOML': ['[telemetry]\ntoken = "s3cret-value\n', /line 2: no valid TOML/],
  'a variable that is not set': [
    `${EXPORTER}endpoint = "http://x"\ntoken = "Bearer-\${NOPE}"`,
    /line 4: .*token needs the environment variable NOPE, which is not set/,
  ],
  'a variable without a name': [`${EXPORTER}endpoint = "http://\${}"`, /line 3: .*endpoint holds \$\{\}/],
  'no endpoint': [EXPORTER, /line 1: telemetry\.profiling\.exporter\.\w*endpoint is missing/],
  'an endpoint that is none': [`${EXPORTER}endpoint = "localhost:4040"`, /line 3: .*endpoint starts with localhost:/],
  'an option the exporter refuses': [
    `${EXPORTER}endpoint = "http://x"\ntimeout_seconds = 1000`,
    /line 4: .*timeout_seconds must be a number from 0\.1 to 300/,
  ],
  'one inside a table': [
    `${EXPORTER}endpoint = "http://x"\nspool = { max_bytes = 5 }`,
    /line 4: .*spool\.max_bytes must be a whole number from/,
  ],
  'an unknown type': [
    '[telemetry.profiling.exporter]\ntype = "s3cret"',
    /line 2: .*type is not known; allowed: "file", "pyroscope", "otlp", "pull"/,
  ],
  'a type to come': ['[telemetry.profiling.exporter]\ntype = "gcp"', /"gcp" is not available in this version/],
  'a type like a property of objects': ['[telemetry.profiling.exporter]\ntype = "constructor"', /line 2: .*type is not known/],
  'a key of another type': [`${EXPORTER}endpoint = "http://x"\nport = 1`, /line 4: .*port is not known/],
  'both forms': [`${EXPORTER}endpoint = "http://x"\n[[telemetry.profiling.exporters]]\ntype = "file"`, /exporter stands beside/],
  'the second of two': [
    '[[telemetry.profiling.exporters]]\ntype = "pull"\nport = 1\n[[telemetry.profiling.exporters]]\ntype = "pull"\nprot = 1',
    /line 6: .*exporters\[1\]\.prot is not known; did you mean 'port'/,
  ],
  'behind a long text and a long array': [
    '[telemetry.profiling]\ntags = { a = "]" }\n[telemetry.tracing]\nx = """\n[telemetry.nope]\n"""\ny = [\n  "[",\n  2,\n]\n[telemetry.metrics]\n[telemetry.profiling.cpu]\nenabeld = true',
    /line 13: .*enabeld is not known; did you mean 'enabled'/,
  ],
  'a table that is a text': ['telemetry = "x"', /line 1: telemetry must be a table, got a text/],
  'a prototype': ['[telemetry.profiling."__proto__"]\nx = 1', /line 1|not known|no valid TOML/],
};

for (const [name, [text, pattern]] of Object.entries(MISTAKES)) {
  test(`refused: ${name}`, () => {
    let error;
    try {
      readConfig(text, 'strobe.toml', { SECRET: 's3cret-value' });
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error instanceof StrobeError && error.code === 'ERR_INVALID_OPTION', `${error?.stack}`);
    assert.match(error.message, pattern);
    assert.not.match(error.message, /s3cret/);
  });
}

test('random damage to a file gives an error of ours or settings, never another throw', () => {
  let seed = 11;
  const random = (below) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let i = 0; i < 3000; i++) {
    const at = random(WHOLE.length);
    const text =
      WHOLE.slice(0, at) + ['', '"', '[', ']]', '=', '\n', '\0', 'é', '\u0024{A}', '"""'][random(10)] + WHOLE.slice(at + random(4));
    try {
      readConfig(text, 'strobe.toml', {});
    } catch (error) {
      assert.ok(error instanceof StrobeError, `${error?.stack}\n${text}`);
    }
  }
});

test('variables: every exporter, and what is wrong with them', () => {
  const options = readEnvironment(
    {
      STROBE_MODE: 'cpu',
      STROBE_TAGS: 'a=1,b=2',
      STROBE_PYROSCOPE_ENDPOINT: 'http://p:4040',
      STROBE_USERNAME: 'u',
      STROBE_PASSWORD: 'pw-12345',
      STROBE_PULL_PORT: '0',
      STROBE_DIR: '/x',
    },
    false,
  );
  assert.equal(
    options.exporters.map(({ kind }) => kind),
    ['file', 'pyroscope', 'pull'],
  );
  assert.equal([options.tags, options.mode], [{ a: '1', b: '2' }, ['cpu']]);
  assert.is(options.exporters[1].network.headers.authorization, `Basic ${Buffer.from('u:pw-12345').toString('base64')}`);
  const bad = (env, pattern) =>
    assert.throws(
      () => readEnvironment(env, false),
      (error) => error instanceof StrobeError && pattern.test(error.message) && !/s3cret/.test(error.message),
      JSON.stringify(env),
    );
  bad({ STROBE_FREQUENCY_HZ: 'fast' }, /STROBE_FREQUENCY_HZ must be a number/);
  bad({ STROBE_MODE: 'heap' }, /STROBE_MODE must be cpu, wall/);
  bad({ STROBE_PYROSCOPE_ENDPOINT: 'p:s3cret@x' }, /STROBE_PYROSCOPE_ENDPOINT.*endpoint/);
  bad({ STROBE_TOKEN: 's3cret' }, /STROBE_TOKEN without an endpoint/);
  bad({ STROBE_TOKEN: 's3cret', STROBE_PYROSCOPE_ENDPOINT: 'http://a', STROBE_OTLP_ENDPOINT: 'http://b' }, /STROBE_TOKEN: for .* or for/);
  bad({ STROBE_OTLP_ENDPOINT: 'http://b', STROBE_HEADERS: 's3cret' }, /STROBE_HEADERS must read/);
  bad({ STROBE_OTLP_ENDPOINT: 'http://b', STROBE_TOKEN: 's3cret\n' }, /token holds a character/);
  bad({ STROBE_PULL_PORT: '99999' }, /STROBE_PULL_PORT/);
  assert.equal(misspelt({ STROBE_FREQUENCYHZ: '1', STROBE_SERVICE_HOST: 'x', STROBE_PORT: 'tcp://', STROBE_DIR: 'x' }), [
    'STROBE_FREQUENCYHZ is not known; did you mean STROBE_FREQUENCY_HZ?',
  ]);
});

/** Runs a program with the preload in a folder of its own that holds `toml`. */
async function preloaded(toml, { env = {}, source = "console.log('application ran')", how = ['--import'], name } = {}) {
  const cwd = folder();
  if (toml) writeFileSync(join(cwd, 'strobe.toml'), toml);
  mkdirSync(join(cwd, 'profiles'));
  return { cwd, ...(await runNode([...how, REGISTER, program(source, name)], { cwd, env })) };
}

const BUSY =
  'const end = process.cpuUsage().user + 300000; let x = 0; while (process.cpuUsage().user < end) for (let i = 0; i < 1e5; i++) x += Math.sqrt(i);';

test('the preload: a mistake is said once, the application runs', async () => {
  const end = await preloaded('[telemetry.profiling.cpu]\nfrequenzy = 1', {
    source: "new (require('node:worker_threads').Worker)('1', { eval: true }).on('exit', () => console.log('application ran'))",
  });
  assert.equal([end.code, end.stdout], [0, 'application ran\n']);
  assert.is(
    end.stderr,
    "strobe: this process runs unprofiled: strobe.toml line 2: telemetry.profiling.cpu.frequenzy is not known; did you mean 'frequency'? Known here: enabled, frequency, continuous, duration_seconds\n",
  );
});

for (const [name, how] of [
  ['program.mjs', ['--import']],
  ['program.cjs', ['--require']],
]) {
  test(`the preload (${how[0]} ${name}) delivers to Pyroscope what strobe.toml says`, async () => {
    const server = await pyroscope();
    try {
      const end = await preloaded(`[telemetry.metrics]\n${EXPORTER}endpoint = "\${WHERE}"\napplication_name = "from-file"\n`, {
        how,
        name,
        source: `${BUSY} console.log('application ran')`,
        env: { WHERE: server.url, STROBE_TAGS: 'env=test', STROBE_SPOOL_DIR: '' },
      });
      assert.equal([end.code, end.stdout], [0, 'application ran\n']);
      assert.is(end.stderr, 'strobe: the configuration names what is not used yet: telemetry.metrics\n');
      assert.is(server.arrived.length, 1);
      assert.ok(server.requests[0].body.includes('from-file') && server.requests[0].body.includes('process_cpu'));
      assert.equal(readdirSync(join(end.cwd, 'profiles')), []);
    } finally {
      await server.close();
    }
  });
}

test('the preload: variables alone, a backend that is away: the window waits on disk, the exit status is the program’s', async () => {
  const spool = join(folder(), 'spool');
  const end = await preloaded('', {
    source: `${BUSY} process.exit(7)`,
    env: { STROBE_PYROSCOPE_ENDPOINT: 'http://127.0.0.1:1', STROBE_SPOOL_DIR: spool, STROBE_APP_NAME: 'app' },
  });
  assert.is(end.code, 7);
  assert.match(end.stderr, /1 profiles? waits? in .* for the next process.*refused/);
  const [inner] = readdirSync(spool);
  assert.is(readdirSync(join(spool, inner)).length, 1);
});

test('STROBE_CONFIG: a file that is not there is said', async () => {
  const end = await preloaded('', { env: { STROBE_CONFIG: '/nowhere/strobe.toml' } });
  assert.equal([end.code, end.stdout], [0, 'application ran\n']);
  assert.match(end.stderr, /unprofiled: cannot read the configuration \/nowhere\/strobe\.toml: no such file/);
});

test.run();
