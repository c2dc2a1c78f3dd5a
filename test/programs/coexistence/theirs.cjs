// Those beside whom strobe must work, each as { start, stop }; `stop` tells what they saw: { hot, all } where they take samples, otherwise what shows that they
// worked ({ wrong: [] } and counts). Every way takes the host's options and is made before anything starts.

const { PassThrough } = require('node:stream');

const INTERVAL_US = 1000;
/** V8's profiler may give a part of `hot` to its callers, also without strobe (code that it was not told of). */
const HOT = ['hot', 'burst', 'busy'];

function post(session, method, parameters) {
  return new Promise((done, failed) => {
    session.post(method, parameters, (error, result) => (error ? failed(error) : done(result)));
  });
}

async function inspectorSession() {
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  return session;
}

function hitsOf({ nodes }) {
  let [hot, all] = [0, 0];
  for (const { callFrame, hitCount = 0 } of nodes) {
    all += hitCount;
    if (HOT.includes(callFrame.functionName)) hot += hitCount;
  }
  return { hot, all };
}

const THEIRS = {
  /** V8's own CPU profiler: SIGPROF, and its handler over everybody else's. */
  async inspector() {
    const session = await inspectorSession();
    await post(session, 'Profiler.enable');
    await post(session, 'Profiler.setSamplingInterval', { interval: INTERVAL_US });
    return {
      start: () => post(session, 'Profiler.start'),
      stop: async () => {
        const { profile } = await post(session, 'Profiler.stop');
        session.disconnect();
        return hitsOf(profile);
      },
    };
  },

  /** The inspector on and off, again and again: each time V8 installs and removes its handler, and logs every function anew. */
  async 'inspector on and off'() {
    let timer;
    let running = Promise.resolve();
    const out = { hot: 0, all: 0, rounds: 0 };
    const round = async () => {
      const session = await inspectorSession();
      await post(session, 'Profiler.enable');
      await post(session, 'Profiler.start');
      await new Promise((done) => setTimeout(done, 40));
      const { profile } = await post(session, 'Profiler.stop');
      session.disconnect();
      const { hot, all } = hitsOf(profile);
      out.hot += hot;
      out.all += all;
      out.rounds++;
    };
    return {
      start: async () => {
        timer = setInterval(() => {
          running = running.then(round);
        }, 60);
      },
      stop: async () => {
        clearInterval(timer);
        await running;
        return out;
      },
    };
  },

  /** Sampled allocations: `all` and `hot` are not of CPU; `allocate` is what must be found. */
  async 'heap sampling'() {
    const session = await inspectorSession();
    let timer;
    let kept = [];
    function allocate() {
      for (let i = 0; i < 500; i++) kept.push({ i, list: new Array(20).fill(i) });
      if (kept.length > 20_000) kept = [];
    }
    const sizeOf = (node, name) =>
      (node.callFrame.functionName === name ? node.selfSize : 0) + node.children.reduce((sum, child) => sum + sizeOf(child, name), 0);
    return {
      start: async () => {
        await post(session, 'HeapProfiler.enable');
        await post(session, 'HeapProfiler.startSampling', {
          samplingInterval: 4096,
          includeObjectsCollectedByMajorGC: true,
          includeObjectsCollectedByMinorGC: true,
        });
        timer = setInterval(allocate, 1);
      },
      stop: async () => {
        clearInterval(timer);
        const { profile } = await post(session, 'HeapProfiler.stopSampling');
        session.disconnect();
        return { wrong: sizeOf(profile.head, 'allocate') > 0 ? [] : ['the heap profile has no allocate()'] };
      },
    };
  },

  /** The engine under Datadog, Pyroscope and others. */
  async datadog({ datadog }) {
    const { time } = require(datadog);
    return {
      start: () => time.start({ intervalMicros: INTERVAL_US, durationMillis: 600_000 }),
      stop: () => {
        const profile = time.stop();
        const text = profile.stringTable.strings;
        const names = new Map(profile.function.map(({ id, name }) => [Number(id), text[Number(name)]]));
        const leafs = new Map(profile.location.map(({ id, line }) => [Number(id), names.get(Number(line[0].functionId))]));
        let [hot, all] = [0, 0];
        for (const { locationId, value } of profile.sample) {
          all += Number(value[0]);
          if (HOT.includes(leafs.get(Number(locationId[0])))) hot += Number(value[0]);
        }
        return { hot, all };
      },
    };
  },

  async 'performance hooks'() {
    const { monitorEventLoopDelay, PerformanceObserver, performance } = require('node:perf_hooks');
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const seen = { gc: 0, function: 0, measure: 0 };
    const observer = new PerformanceObserver((list) => {
      for (const { entryType } of list.getEntries()) seen[entryType]++;
    });
    let called = 0;
    const timed = performance.timerify(() => {
      called++;
      performance.measure(`m${called}`, { start: 0, end: 1 });
      performance.clearMeasures(`m${called}`);
      return new Array(5000).fill(called);
    });
    let timer;
    let before;
    return {
      start: async () => {
        before = performance.eventLoopUtilization();
        observer.observe({ entryTypes: Object.keys(seen) });
        delay.enable();
        timer = setInterval(timed, 1);
      },
      stop: async () => {
        clearInterval(timer);
        // Entries are given out behind the turn that they are made in.
        await new Promise((done) => setTimeout(done, 100));
        observer.disconnect();
        delay.disable();
        const { utilization } = performance.eventLoopUtilization(before);
        const wrong = [];
        if (seen.function !== called || seen.measure !== called)
          wrong.push(`${called} calls, ${seen.function} timed, ${seen.measure} measured`);
        if (seen.gc === 0) wrong.push('no collection was seen');
        if (!(delay.max > 0 && delay.exceeds === 0)) wrong.push(`the loop's delay: at most ${delay.max} ns, ${delay.exceeds} beyond`);
        if (!(utilization > 0 && utilization <= 1)) wrong.push(`utilisation ${utilization}`);
        return { wrong, called };
      },
    };
  },

  /** A real-time timer of an addon's own, every millisecond, on the signal that strobe would take first (before us) or any other. */
  async 'real-time signal'({ addon: file, offset }) {
    const addon = require(file);
    let started;
    return {
      start: async () => {
        started = performance.now();
        const failed = addon.startTimer(offset, INTERVAL_US);
        if (failed !== 0) throw new Error(`the timer's signal could not be had: ${failed}`);
      },
      stop: async () => {
        const arrived = addon.stopTimer();
        const expected = ((performance.now() - started) * 1000) / INTERVAL_US;
        // Expiries that meet a pending signal are one signal: overruns are counted by the addon, too.
        return {
          wrong: arrived >= 0.9 * expected && arrived <= 1.1 * expected ? [] : [`${arrived} expiries of ${Math.round(expected)}`],
          arrived,
        };
      },
    };
  },

  /** Libraries that are opened and closed by many threads, all the time. */
  async 'threads and dlopen'({ addon: file, plugin }) {
    const addon = require(file);
    let timer;
    const out = { wrong: [], rounds: 0 };
    const storm = () => {
      const done = addon.storm(plugin, 4, 10);
      out.rounds++;
      if (done !== 50) out.wrong.push(`${done} rounds of 50`);
    };
    return {
      start: async () => {
        timer = setInterval(storm, 10);
      },
      stop: async () => {
        clearInterval(timer);
        return out.rounds > 0 ? out : { wrong: ['no round'] };
      },
    };
  },

  async 'child processes'({ addon: file }) {
    const { execFileSync, fork, spawn } = require('node:child_process');
    const addon = require(file);
    const child = require('node:path').join(__dirname, 'child.cjs');
    let alive = true;
    let loop;
    const out = { wrong: [], children: 0 };
    const expect = (what, found, wanted) => {
      out.children++;
      if (found !== wanted) out.wrong.push(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
    };
    const round = async () => {
      const forked = fork(child, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
      const reply = await new Promise((done) => {
        forked.once('message', done);
        forked.once('exit', (code) => done(`ended with ${code}`));
        forked.send('ping');
      });
      expect('fork', reply, 'pong');
      const cat = spawn('cat');
      const text = new PassThrough();
      cat.stdout.pipe(text);
      cat.stdin.end('through a pipe');
      let said = '';
      for await (const chunk of text) said += chunk;
      expect('spawn', said, 'through a pipe');
      expect('exec', execFileSync('sh', ['-c', 'echo $((1 + 2))'], { encoding: 'utf8' }), '3\n');
      expect('fork(2)', addon.forkChild(), 5 << 8);
    };
    return {
      start: async () => {
        loop = (async () => {
          do await round();
          while (alive);
        })();
      },
      stop: async () => {
        alive = false;
        await loop;
        return out;
      },
    };
  },

  /** Nothing: what `--cpu-prof` is compared with, and the host alone. */
  async nothing() {
    return { start: async () => {}, stop: async () => ({}) };
  },
};

module.exports = { THEIRS };
