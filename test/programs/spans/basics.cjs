// Cases of spans, one a call: `node basics.cjs <case>`; each prints JSON. The profile, where one is needed, is read here.
const { startProfiler, StrobeContextManager, StrobeSpanProcessor, withLabels, currentLabels } = require(process.env.STROBE_INDEX);
const { decode } = require(process.env.STROBE_INDEX.replace(/index\.js$/, 'pprof/decode.js'));
const api = require('@opentelemetry/api');
const { AlwaysOffSampler, BasicTracerProvider, ParentBasedSampler, AlwaysOnSampler } = require('@opentelemetry/sdk-trace-base');

const { cpuMs, labelsReady, spin } = require('./tools.cjs');
const tick = () => new Promise(setImmediate);

function tracing({ manager = {}, processor = {}, ...provider } = {}) {
  api.context.setGlobalContextManager(new StrobeContextManager(manager));
  return new BasicTracerProvider({ spanProcessors: [new StrobeSpanProcessor(processor)], ...provider }).getTracer('basics');
}

/** Nanoseconds of the profile by the value of one label ('' where it is missing). */
function byLabel(bytes, key) {
  const out = {};
  for (const sample of decode(bytes, 'basics').samples) {
    const label = sample.labels.find((one) => one.key === key);
    out[label?.str ?? ''] = (out[label?.str ?? ''] ?? 0) + sample.values[1];
  }
  return out;
}

const cases = {
  // Where is the CPU of a span measured: in its own synchronous call, across awaits, in children.
  async cpu() {
    const tracer = tracing();
    const profiler = startProfiler({ frequencyHz: 1000 });
    await labelsReady(profiler);
    const ms = Number(process.argv[3]);
    const out = { own: {}, attributes: {} };
    const finish = (name, span, own) => {
      span.end();
      out.own[name] = own;
      out.attributes[name] = span.attributes;
    };
    tracer.startActiveSpan('sync', (span) => {
      const start = cpuMs();
      spin(ms);
      const before = cpuMs() - start;
      tracer.startActiveSpan('sync child', (child) => {
        const childStart = cpuMs();
        spin(ms);
        finish('sync child', child, cpuMs() - childStart);
      });
      const middle = cpuMs();
      spin(ms);
      finish('sync', span, before + cpuMs() - middle);
    });
    await tracer.startActiveSpan('async', async (span) => {
      let own = 0;
      const piece = () => {
        const start = cpuMs();
        spin(ms / 10);
        own += cpuMs() - start;
      };
      for (let i = 0; i < 10; i++) {
        piece();
        await tick();
      }
      await tracer.startActiveSpan('async child', async (child) => {
        let childOwn = 0;
        for (let i = 0; i < 10; i++) {
          const start = cpuMs();
          spin(ms / 10);
          childOwn += cpuMs() - start;
          await new Promise((done) => setTimeout(done, 1));
        }
        finish('async child', child, childOwn);
      });
      for (let i = 0; i < 10; i++) {
        piece();
        await Promise.resolve().then(tick);
      }
      finish('async', span, own);
    });
    // A remote parent: a local root; a child that outlives its parent: its CPU goes to who is left.
    const remote = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1, isRemote: true };
    const remoteContext = api.trace.setSpanContext(api.ROOT_CONTEXT, remote);
    tracer.startActiveSpan('grandparent', {}, remoteContext, (grandparent) => {
      const parent = tracer.startSpan('parent');
      const child = tracer.startSpan('orphan', {}, api.trace.setSpan(api.context.active(), parent));
      finish('parent', parent, 0);
      api.context.with(api.trace.setSpan(api.context.active(), child), () => spin(ms));
      finish('orphan', child, ms);
      finish('grandparent', grandparent, 0);
    });
    await profiler.stop();
    return out;
  },

  async unsampled() {
    const both = process.argv[3] === 'too' ? { labelUnsampledSpans: true } : {};
    const tracer = tracing({ manager: both, processor: both, sampler: new AlwaysOffSampler() });
    const profiler = startProfiler({ frequencyHz: 1000 });
    await labelsReady(profiler);
    let ids;
    let seen;
    await tracer.startActiveSpan('unsampled', { attributes: { 'agent.name': 'x' } }, async (span) => {
      ids = span.spanContext();
      for (let i = 0; i < 10; i++) {
        spin(30);
        await tick();
      }
      seen = api.trace.getActiveSpan() === span;
      span.end();
    });
    const bytes = await profiler.snapshot();
    await profiler.stop();
    return { ids, seen, spans: byLabel(bytes, 'span_id'), agents: byLabel(bytes, 'agent.name') };
  },

  async labels() {
    const tracer = tracing();
    const profiler = startProfiler({ frequencyHz: 1000 });
    await labelsReady(profiler);
    const seen = {};
    await withLabels({ tenant: 't1' }, () =>
      tracer.startActiveSpan(
        'labelled',
        { attributes: { 'agent.name': 'planner', session_id: 's-1', 'http.route': '/a/:b', secret: 'no' } },
        async (span) => {
          seen.inside = { ...currentLabels() };
          for (let i = 0; i < 10; i++) {
            spin(20);
            await tick();
          }
          span.setAttribute('gen_ai.request.model', 'm-1');
          await api.context.with(api.context.active(), async () => {
            seen.later = { ...currentLabels() };
            await tracer.startActiveSpan('child', { attributes: { 'gen_ai.tool.name': 'search', invocation_id: 7 } }, async (child) => {
              seen.child = { ...currentLabels() };
              for (let i = 0; i < 10; i++) {
                spin(20);
                await tick();
              }
              child.end();
            });
          });
          withLabels({ 'agent.name': 'user', extra: 1 }, () => {
            seen.user = { ...currentLabels() };
            seen.context = api.trace.getActiveSpan() === span;
            api.context.with(api.context.active(), () => (seen.again = { ...currentLabels() }));
            tracer.startActiveSpan('under', { attributes: { session_id: 's-2' } }, (under) => {
              seen.under = { ...currentLabels() };
              under.end();
            });
          });
          // Another trace, entered from inside: nothing of this one.
          api.context.with(api.ROOT_CONTEXT, () => (seen.root = { ...currentLabels() }));
          span.end();
        },
      ),
    );
    seen.after = { ...currentLabels() };
    const bytes = await profiler.snapshot();
    await profiler.stop();
    return { seen, tools: byLabel(bytes, 'gen_ai.tool.name'), agents: byLabel(bytes, 'agent.name'), secrets: byLabel(bytes, 'secret') };
  },

  // Attributes are there without a profiler, too; CPU is not.
  async idle() {
    const tracer = tracing();
    const out = {};
    tracer.startActiveSpan('root', (root) => {
      tracer.startActiveSpan('child', (child) => {
        child.end();
        out.child = child.attributes;
      });
      root.end();
      out.root = root.attributes;
    });
    out.id = out.root['pyroscope.profile.id'];
    return out;
  },

  // Contexts alone: the engine need not know of them.
  async contexts() {
    const tracer = tracing({ sampler: new AlwaysOffSampler() });
    const profiler = startProfiler();
    let seen;
    await tracer.startActiveSpan('unsampled', async (span) => {
      await tick();
      seen = api.trace.getActiveSpan() === span;
      span.end();
    });
    const before = profiler.stats().features.labels;
    withLabels({ a: 1 }, () => undefined);
    const after = profiler.stats().features.labels;
    await profiler.stop();
    return { seen, before, after };
  },

  // A remote parent that was not sampled.
  async parentBased() {
    const tracer = tracing({ sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }) });
    const off = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 0, isRemote: true };
    let label;
    tracer.startActiveSpan('child', {}, api.trace.setSpanContext(api.ROOT_CONTEXT, off), (span) => {
      label = span.isRecording();
      span.end();
    });
    return { recording: label };
  },
};

cases[process.argv[2]]().then((result) => console.log(JSON.stringify(result)));
