// strobe doctor on this machine and on made ones: what is well is ok, what is planted is found, every check may fail and then says so, and nothing hangs.

import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, DIST, folder, NODE_MAJOR, program, ROOT, run, runNode, strobe } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { Cgroup, checkLimits } = require(join(DIST, 'doctor/host.js'));
const { checkConflicts, checkDirectory, splitOptions } = require(join(DIST, 'doctor/surroundings.js'));
const { checkEndpoints, endpointsFrom } = require(join(DIST, 'doctor/endpoints.js'));
const { guarded, worst } = require(join(DIST, 'doctor/finding.js'));

const find = (findings, check) => findings.find((finding) => finding.check === check);

/** The findings of a whole run, by JSON. */
async function doctor(args = [], options = {}) {
  const end = await (options.nodeArgs
    ? runNode([...options.nodeArgs, CLI, 'doctor', '--json', ...args], options)
    : strobe(['doctor', '--json', ...args], options));
  const report = JSON.parse(end.stdout);
  assert.is(end.code, report.verdict === 'broken' ? 1 : 0, end.stderr);
  return { ...report, find: (check) => find(report.findings, check) };
}

const whole = suite('whole');

whole('here: the engine starts, samples, and reads source maps; the schema; the text', async () => {
  const report = await doctor();
  assert.equal(Object.keys(report).slice(0, 7), ['schema', 'strobe', 'node', 'platform', 'arch', 'verdict', 'findings']);
  assert.equal([report.schema, report.node], ['strobe-doctor/1', process.version]);
  for (const finding of report.findings) assert.equal(Object.keys(finding), ['check', 'verdict', 'summary', 'advice']);
  for (const check of ['platform', 'node', 'binary', 'engine', 'source-maps', 'seccomp', 'endpoints'])
    assert.is(report.find(check)?.verdict, 'ok', JSON.stringify(report.find(check)));
  assert.match(report.find('binary').summary, /strobe(\.glibc|\.musl)?\.node$/);
  assert.match(report.find('engine').summary, /^\d+ samples, none lost, \d+% in the function/);
  assert.ok(report.find('clock') && report.find('cpu') && report.find('directory') && report.find('limit:signals'));
  const text = await strobe(['doctor']);
  assert.is(text.stderr, '');
  assert.match(text.stdout, /^ok {8}platform +linux/);
  assert.match(text.stdout, /\n\d+ ok, \d+ degraded, 0 broken\n$/);
});

whole('the binary is missing: broken, and how to get one', async () => {
  const home = folder();
  cpSync(DIST, join(home, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  const end = await runNode([join(home, 'dist/cli/main.js'), 'doctor', '--json']);
  assert.is(end.code, 1);
  const { findings } = JSON.parse(end.stdout);
  assert.match(find(findings, 'binary').summary, /ERR_BINARY_NOT_FOUND/);
  assert.match(find(findings, 'binary').advice, /no strobe binary for .*Reinstall/);
  const damaged = program('not an addon', 'strobe.node');
  assert.is((await doctor([], { env: { STROBE_BINARY: damaged } })).find('binary').verdict, 'broken');
});

whole('an engine that crashes is a finding', async () => {
  // A preload of the child only: it ends as a crash does.
  const crash = program("if (process.argv[1]?.endsWith('probe.js')) process.kill(process.pid, 'SIGSEGV');");
  const report = await doctor([], { env: { NODE_OPTIONS: `--require ${crash}` } });
  assert.match(report.find('engine').summary, /without a result: killed by SIGSEGV/);
  assert.is(report.verdict, 'broken');
});

whole('--permission: says what to allow', async () => {
  const flag = NODE_MAJOR < 22 ? '--experimental-permission' : '--permission';
  const nodeArgs = ['--no-warnings', flag, '--allow-fs-read=*'];
  const bare = await doctor([], { nodeArgs });
  assert.is(bare.find('permission').verdict, 'broken');
  assert.match(bare.find('permission').advice, /--allow-addons --allow-worker/);
  assert.match(bare.find('engine').summary, /could not be checked: this Node's permission model refuses it/);
  const child = await doctor([], { nodeArgs: [...nodeArgs, '--allow-child-process'] });
  assert.is(child.find('engine').verdict, 'broken');
});

whole('no pending signals allowed: broken by name', async () => {
  const end = await run('bash', ['-c', 'ulimit -i 0 && exec "$0" "$1" doctor --json', process.execPath, CLI]);
  assert.is(end.code, 1, end.stderr);
  const { findings } = JSON.parse(end.stdout);
  assert.equal([find(findings, 'limit:signals').verdict, find(findings, 'engine').verdict], ['broken', 'broken']);
});

whole('wrong command lines', async () => {
  for (const [args, pattern] of [
    [['--timeout', '0'], /--timeout must be a whole number from 1 to 60/],
    [['--tiemout', '1'], /--tiemout/],
    [['extra'], /extra/],
  ]) {
    const end = await strobe(['doctor', ...args]);
    assert.equal([end.code, end.stdout], [2, '']);
    assert.match(end.stderr, pattern);
  }
  assert.match((await strobe(['doctor', '--help'])).stdout, /Examples:\n {2}strobe/);
});

whole.run();

const parts = suite('parts');

/** A /proc and a /sys with these files. */
function machine(files) {
  const root = folder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return new Cgroup(join(root, 'proc'), join(root, 'sys'));
}
const STATUS = 'Name:\tnode\nTracerPid:\t0\nSigQ:\t5/9000\nSeccomp:\t0\n';
const LIMITS = 'Limit Soft Hard Units\nMax processes             9000                 9000                 processes \n';
const proc = { 'proc/self/status': STATUS, 'proc/self/limits': LIMITS };

parts('cgroup version 2: quota, memory, threads', () => {
  const v2 = (more) =>
    machine({ ...proc, 'proc/self/cgroup': '0::/pod/one\n', 'sys/fs/cgroup/cgroup.controllers': 'cpu memory pids', ...more });
  const at = (name) => `sys/fs/cgroup/pod/one/${name}`;
  const cgroup = v2({
    [at('cpu.max')]: '25000 100000\n',
    [at('cpu.stat')]: 'usage_usec 1\nnr_throttled 42\n',
    [at('memory.max')]: String(64 * 2 ** 20),
    [at('memory.current')]: String(60 * 2 ** 20),
    [at('pids.max')]: '20\n',
    [at('pids.current')]: '15\n',
  });
  const findings = checkLimits(cgroup);
  assert.equal(
    [find(findings, 'limit:cpu').verdict, find(findings, 'limit:cpu').summary],
    ['degraded', '0.25 CPUs by quota, throttled 42 times'],
  );
  assert.equal([find(findings, 'limit:memory').verdict, find(findings, 'limit:memory').summary], ['degraded', '4 MiB free of 64 MiB']);
  assert.is(find(findings, 'limit:threads').verdict, 'broken');
  // Inside a container the own group is mounted at the root.
  const inside = v2({ 'sys/fs/cgroup/cpu.max': '400000 100000', 'sys/fs/cgroup/memory.max': 'max', 'sys/fs/cgroup/pids.max': 'max' });
  assert.equal(
    checkLimits(inside).map(({ verdict }) => verdict),
    ['ok', 'ok', 'ok', 'ok', 'ok'],
  );
  assert.is(inside.cpus(), 4);
});

parts('cgroup version 1, and none', () => {
  const v1 = machine({
    ...proc,
    'proc/self/cgroup': '4:memory:/box\n3:cpu,cpuacct:/box\n2:pids:/box\n1:name=systemd:/\n',
    'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '50000',
    'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us': '100000',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    'sys/fs/cgroup/pids/box/pids.max': '30',
    'sys/fs/cgroup/pids/box/pids.current': '10',
  });
  const findings = checkLimits(v1);
  assert.match(find(findings, 'limit:cpu').summary, /^0\.5 CPUs/);
  assert.equal([find(findings, 'limit:memory').verdict, find(findings, 'limit:threads').verdict], ['ok', 'degraded']);
  assert.ok(checkLimits(machine(proc)).every(({ verdict }) => verdict === 'ok'));
});

parts('pending signals, user threads, seccomp, a tracer', () => {
  const with_ = (status, limits = LIMITS) => checkLimits(machine({ 'proc/self/status': status, 'proc/self/limits': limits }));
  assert.is(find(with_(STATUS.replace('5/9000', '8900/9000')), 'limit:signals').verdict, 'degraded');
  assert.is(find(with_(STATUS.replace('5/9000', '12/0')), 'limit:signals').summary, '0 more pending signals of 0 (ulimit -i)');
  assert.is(find(with_(STATUS, LIMITS.replace('9000 ', '4 ')), 'limit:threads').verdict, 'broken');
  assert.match(find(with_(STATUS.replace('Seccomp:\t0', 'Seccomp:\t2')), 'seccomp').summary, /filter is active/);
  assert.is(find(with_(STATUS.replace('TracerPid:\t0', 'TracerPid:\t77')), 'seccomp').verdict, 'degraded');
  assert.is(find(with_(''), 'limit:signals').verdict, 'degraded', 'what is not known is said');
});

parts('a check that fails is a finding', async () => {
  const [finding] = await guarded('x', () => {
    throw Object.assign(new Error('denied'), { code: 'EACCES' });
  });
  assert.equal([finding.check, finding.verdict, finding.summary], ['x', 'degraded', 'could not be checked: denied']);
  assert.is(worst([{ verdict: 'ok' }, { verdict: 'broken' }, { verdict: 'degraded' }]), 'broken');
});

parts('other profilers and options', () => {
  const seen = (env, execArgv = []) => checkConflicts(env, execArgv).map(({ check, verdict, summary }) => `${check} ${verdict} ${summary}`);
  assert.equal(seen({}), ['conflicts ok no other profiler, no option that changes what is measured']);
  assert.match(seen({ NODE_OPTIONS: '--require "dd-trace/init" --cpu-prof' }).join('\n'), /--cpu-prof[\s\S]*Datadog/);
  assert.match(seen({ DD_PROFILING_ENABLED: 'true' })[0], /Datadog/);
  assert.match(seen({ DD_PROFILING_ENABLED: 'false' })[0], /conflicts ok/);
  assert.match(seen({}, ['--inspect=0', '--jitless']).join('\n'), /inspector[\s\S]*fewer compilers/);
  assert.match(seen({ NODE_OPTIONS: '--require /app/clinical/start.js' })[0], /conflicts ok/);
  assert.match(seen({}, ['--require', '/x/node_modules/clinic/start.js'])[0], /profiling command line/);
  assert.match(seen({ LD_PRELOAD: '/x.so' })[0], /LD_PRELOAD/);
  assert.match(
    seen({}, ['--permission', '--allow-addons', '--allow-worker', '--allow-fs-read=*', '--allow-fs-write=/x'])[0],
    /permission ok/,
  );
  assert.equal(splitOptions('--a  "--b c" --d="e f"'), ['--a', '--b c', '--d=e f']);
});

parts('the directory of the profiles: tried by writing', () => {
  const dir = folder();
  assert.is(checkDirectory({}, dir)[0].verdict, 'ok');
  assert.not.ok(existsSync(join(dir, 'profiles')), 'nothing is left');
  writeFileSync(join(dir, 'file'), '');
  const [blocked] = checkDirectory({ STROBE_DIR: join(dir, 'file', 'x') }, dir);
  assert.equal([blocked.check, blocked.verdict], ['directory', 'broken']);
  assert.match(blocked.advice, /STROBE_DIR/);
  assert.is(checkDirectory({ STROBE_DIR: '/proc/x' }, dir)[0].verdict, 'broken');
});

(process.getuid?.() === 0 ? parts.skip : parts)('a folder without write rights', () => {
  const dir = folder();
  chmodSync(dir, 0o555);
  assert.match(checkDirectory({}, dir)[0].summary, /permission denied/);
  chmodSync(dir, 0o755);
});

parts('addresses: answers, refusals, servers that hang or never end; no secret is shown', async () => {
  const servers = [];
  const listen = async (server) => {
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    servers.push(server);
    return server.address().port;
  };
  try {
    const good = await listen(createServer((_, response) => response.writeHead(404).end()));
    const guardedPort = await listen(createServer((_, response) => response.writeHead(401).end()));
    const ill = await listen(createServer((_, response) => response.writeHead(503).end()));
    const silent = await listen(createTcpServer(() => undefined));
    const endless = await listen(
      createTcpServer((socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 20);
        socket.on('error', () => undefined).on('close', () => clearInterval(timer));
      }),
    );
    const garbage = await listen(createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-x\r\n')));
    const at = (port, more = '') => ({ from: '--endpoint', url: `http://user:secret@127.0.0.1:${port}/push?token=secret${more}` });
    const findings = await checkEndpoints(
      [good, guardedPort, ill, silent, endless, garbage, 1].map((port) => at(port)),
      500,
    );
    assert.equal(
      findings.map(({ verdict }) => verdict),
      ['ok', 'ok', 'degraded', 'broken', 'broken', 'broken', 'broken'],
      JSON.stringify(findings, null, 1),
    );
    assert.match(findings[3].summary, /no answer within 0\.5 s/);
    assert.match(findings[6].summary, /nobody listens there/);
    const [tls] = await checkEndpoints([{ from: 'STROBE_X', url: `https://127.0.0.1:${good}/` }], 500);
    assert.is(tls.verdict, 'broken');
    const wrong = await checkEndpoints(
      [
        { from: 'STROBE_Y', url: 'http://user:secret@[' },
        { from: 'a', url: 'ftp://secret' },
      ],
      500,
    );
    assert.equal(
      wrong.map(({ verdict }) => verdict),
      ['broken', 'broken'],
    );
    assert.not.match(JSON.stringify([...findings, tls, ...wrong]), 'secret');
    assert.equal(endpointsFrom({ STROBE_PYROSCOPE_URL: 'http://p:4040', STROBE_DIR: '/x', OTHER: 'http://no' }), [
      { from: 'STROBE_PYROSCOPE_URL', url: 'http://p:4040' },
    ]);
  } finally {
    for (const server of servers) {
      server.closeAllConnections?.();
      server.close();
    }
  }
});

parts.run();
