// The demo agent service (examples/agent.mjs): a unit is two sessions at once, each to its answer, with labels for agent, session and tool and a span a
// session and a tool call. It waits, as for a model: its CPU is the work's, its wall time the waiting's.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { setEnvironmentData } = require('node:worker_threads');

const AT_ONCE = 2;

const suite = (name) => ['--require', join(__dirname, '..', '..', 'suite', name)];

exports.prepare = async ({ program, variant }) => {
  if (!(variant.kind === 'strobe' && variant.labels)) process.env.AGENT_LABELS = '0';
  const { serve, startRanker } = await import(pathToFileURL(join(__dirname, '..', '..', '..', 'examples', 'agent.mjs')));
  // A peer joins the ranking Worker as its preload would.
  const joins = ['datadog', 'pyroscope', 'inspector'].includes(variant.kind);
  const tid = new Int32Array(new SharedArrayBuffer(4));
  setEnvironmentData('bench.tid', tid);
  const ranker = startRanker({ execArgv: [...(joins ? suite('join.cjs') : []), ...suite('tid.cjs')] });
  const rankerCpuMs = () => Number(readFileSync(`/proc/self/task/${tid[0]}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
  return {
    run: async (units) => {
      const label = (labels, fn) => program.span(labels.tool ?? 'session', labels, fn);
      const answers = await serve({ ranker, sessions: units * AT_ONCE, atOnce: AT_ONCE, label });
      return { answers: answers.length, workersCpuMs: rankerCpuMs() };
    },
    end: () => ranker.end(),
  };
};
