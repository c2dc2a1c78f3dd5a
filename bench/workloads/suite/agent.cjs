// The demo agent service (examples/agent.mjs): a unit is six sessions at once, each to its answer, with labels for agent, session and tool and a span a
// session and a tool call. It waits, as for a model: its CPU is the work's, its wall time the waiting's.

const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const AT_ONCE = 6;

exports.prepare = async ({ program, variant }) => {
  if (!(variant.kind === 'strobe' && variant.labels)) process.env.AGENT_LABELS = '0';
  const { serve, startRanker } = await import(pathToFileURL(join(__dirname, '..', '..', '..', 'examples', 'agent.mjs')));
  // A peer joins the ranking Worker as its preload would.
  const joins = ['datadog', 'pyroscope', 'inspector'].includes(variant.kind);
  const ranker = startRanker(joins ? { execArgv: ['--require', join(__dirname, '..', '..', 'suite', 'join.cjs')] } : {});
  return {
    run: async (units) => {
      const label = (labels, fn) => program.span(labels.tool ?? 'session', labels, fn);
      const answers = await serve({ ranker, sessions: units * AT_ONCE, atOnce: AT_ONCE, label });
      return { answers: answers.length };
    },
    end: () => ranker.end(),
  };
};
