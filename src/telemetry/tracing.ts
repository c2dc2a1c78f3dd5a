// The short way from spans to a backend: one call registers a tracer provider whose spans carry their CPU and leave by OTLP (HTTP, protobuf).
//
// Contract: for an application without an OpenTelemetry SDK of its own; one that has it calls attachTracing(). Either everything is registered (provider,
// context manager, W3C propagation) or nothing. The SDK's packages are the application's, loaded here and nowhere else: importing strobe loads none of them,
// and another line of the SDK is a change of this file.

import type { ContextManager, Sampler, TextMapPropagator, TracerProvider } from '@opentelemetry/api';
import { StrobeError } from '../errors';
import { loadApi, StrobeContextManager } from '../labels/context-manager';
import { type SpanProcessorOptions, StrobeSpanProcessor } from '../labels/span-processor';

export interface TracingOptions extends SpanProcessorOptions {
  /**
   * Where the OTLP receiver is, `http://localhost:4318`; `/v1/traces` is appended unless the path ends in it. Default: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
   * OTEL_EXPORTER_OTLP_ENDPOINT, else that.
   */
  endpoint?: string;
  /** Sent with every request: `{ authorization: 'Bearer …' }`. */
  headers?: Record<string, string>;
  /** Resource attribute `service.name`. Default: OTEL_SERVICE_NAME, else the SDK's. */
  serviceName?: string;
  /** More resource attributes. */
  resourceAttributes?: Record<string, string | number | boolean>;
  /** Which spans are recorded. Default: as their parent, roots always (or OTEL_TRACES_SAMPLER). */
  sampler?: Sampler;
}

export interface Tracing {
  readonly provider: TracerProvider;
  /** Sends the finished spans that wait. */
  forceFlush(): Promise<void>;
  /** Sends what waits and takes back what was registered. Idempotent. */
  shutdown(): Promise<void>;
}

/** What the path was built and tested with. */
const PACKAGES = [
  '@opentelemetry/api@1.9.1',
  '@opentelemetry/core@2.12.0',
  '@opentelemetry/resources@2.12.0',
  '@opentelemetry/sdk-trace-base@2.12.0',
  '@opentelemetry/exporter-trace-otlp-proto@0.223.0',
];

const KNOWN = ['endpoint', 'headers', 'serviceName', 'resourceAttributes', 'sampler', 'spanLabels', 'labelUnsampledSpans'];

const API = Symbol.for('opentelemetry.js.api.1');

function refuse(message: string): never {
  throw new StrobeError('ERR_INVALID_OPTION', `startTracing: ${message}`);
}

function loadSdk() {
  try {
    return {
      core: require('@opentelemetry/core') as typeof import('@opentelemetry/core'),
      resources: require('@opentelemetry/resources') as typeof import('@opentelemetry/resources'),
      trace: require('@opentelemetry/sdk-trace-base') as typeof import('@opentelemetry/sdk-trace-base'),
      otlp: require('@opentelemetry/exporter-trace-otlp-proto') as typeof import('@opentelemetry/exporter-trace-otlp-proto'),
    };
  } catch (cause) {
    const message = `startTracing needs OpenTelemetry's SDK: npm install ${PACKAGES.join(' ')}`;
    throw new StrobeError('ERR_INVALID_OPTION', message, { cause });
  }
}

function checkTexts(name: string, value: unknown, kinds: readonly string[]): void {
  if (value === undefined) return;
  const good =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((entry) => kinds.includes(typeof entry));
  if (!good) refuse(`${name} must be an object of names and values (${kinds.join(', ')})`);
}

function tracesUrl(endpoint: unknown): string | undefined {
  if (endpoint === undefined) return undefined;
  const text = endpoint;
  if (typeof text !== 'string' || !URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    refuse(`endpoint must be an http or https URL such as 'http://localhost:4318', got ${JSON.stringify(endpoint)}`);
  }
  const url = new URL(text);
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`;
  return url.href;
}

function checked(options: TracingOptions) {
  if (typeof options !== 'object' || options === null)
    refuse("the options must be an object such as { endpoint: 'http://localhost:4318' }");
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) refuse(`there is no option '${unknown}'; there are ${KNOWN.join(', ')}`);
  checkTexts('headers', options.headers, ['string']);
  checkTexts('resourceAttributes', options.resourceAttributes, ['string', 'number', 'boolean']);
  if (options.serviceName !== undefined && (typeof options.serviceName !== 'string' || options.serviceName === '')) {
    refuse('serviceName must be a string that is not empty');
  }
  if (options.sampler !== undefined && typeof (options.sampler as Partial<Sampler> | null)?.shouldSample !== 'function') {
    refuse('sampler must have a function shouldSample');
  }
  return { url: tracesUrl(options.endpoint), processor: new StrobeSpanProcessor(options) };
}

/**
 * Registers a tracer provider, StrobeContextManager and W3C propagation for the whole application; spans leave in batches, the last ones when the process has
 * nothing left to do. A process that calls process.exit() awaits shutdown() before.
 * @throws StrobeError ERR_INVALID_OPTION for wrong options, without the SDK's packages, and where an SDK is registered already
 */
export function startTracing(options: TracingOptions = {}): Tracing {
  const { url, processor } = checked(options);
  const api = loadApi('startTracing');
  const sdk = loadSdk();
  const registered = (globalThis as unknown as Record<symbol, { trace?: object; context?: object } | undefined>)[API];
  if (registered?.trace !== undefined || registered?.context !== undefined) {
    refuse('the application has registered an OpenTelemetry SDK already: call attachTracing() to join it instead');
  }
  const attributes = {
    ...options.resourceAttributes,
    ...(options.serviceName === undefined ? {} : { 'service.name': options.serviceName }),
  };
  const exporter = new sdk.otlp.OTLPTraceExporter({
    ...(url === undefined ? {} : { url }),
    ...(options.headers === undefined ? {} : { headers: options.headers }),
  });
  const provider = new sdk.trace.BasicTracerProvider({
    resource: sdk.resources.defaultResource().merge(sdk.resources.resourceFromAttributes(attributes)),
    ...(options.sampler === undefined ? {} : { sampler: options.sampler }),
    // Ours first: what it sets at a span's end must be there when the next one takes the span.
    spanProcessors: [processor, new sdk.trace.BatchSpanProcessor(exporter)],
  });
  const manager: ContextManager = new StrobeContextManager(
    options.labelUnsampledSpans === undefined ? {} : { labelUnsampledSpans: options.labelUnsampledSpans },
  );
  const propagator: TextMapPropagator = new sdk.core.CompositePropagator({
    propagators: [new sdk.core.W3CTraceContextPropagator(), new sdk.core.W3CBaggagePropagator()],
  });
  if (!api.trace.setGlobalTracerProvider(provider)) {
    void provider.shutdown();
    refuse('another version of @opentelemetry/api is registered in this process; install one version only (npm ls @opentelemetry/api)');
  }
  api.context.setGlobalContextManager(manager);
  const propagating = api.propagation.setGlobalPropagator(propagator);

  const flush = () => provider.forceFlush().catch(() => undefined);
  // Once: what a flush itself starts would bring the event back for ever.
  process.once('beforeExit', flush);
  let over: Promise<void> | undefined;
  return {
    provider,
    forceFlush: () => provider.forceFlush(),
    shutdown() {
      over ??= (async () => {
        process.off('beforeExit', flush);
        try {
          await provider.shutdown();
        } finally {
          api.trace.disable();
          api.context.disable();
          if (propagating) api.propagation.disable();
        }
      })();
      return over;
    },
  };
}
