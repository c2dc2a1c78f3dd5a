// STROBE_* variables, for the preload. They win over strobe.toml; an exporter that they name replaces those of the file.
//
//   STROBE_MODE                     cpu, wall or cpu,wall
//   STROBE_FREQUENCY_HZ             1 to 1000, default 100
//   STROBE_OVERHEAD_BUDGET_PERCENT  the share of the process's CPU that strobe may use, 0.05 to 50; default no limit
//   STROBE_WINDOW_SECONDS           default 30
//   STROBE_MAX_DEPTH                default 512
//   STROBE_EXIT_TIMEOUT_SECONDS     how long an ending process waits for the last profile, 0 to 60, default 2
//   STROBE_SOURCE_MAPS              0: positions stay those of the code that runs; default 1
//   STROBE_CONTROL                  1: a Unix socket for strobe status, attach, top, stop; default 0
//   STROBE_APP_NAME, STROBE_TAGS    ("env=prod,version=1.2"); without STROBE_APP_NAME, OTEL_SERVICE_NAME
//   STROBE_DIR                      files in this directory
//   STROBE_PYROSCOPE_ENDPOINT, STROBE_OTLP_ENDPOINT    windows go there
//   STROBE_TOKEN, STROBE_USERNAME, STROBE_PASSWORD, STROBE_TENANT, STROBE_HEADERS ("name=value,name=value"), STROBE_CA_FILE, STROBE_CERT_FILE, STROBE_KEY_FILE,
//   STROBE_SPOOL_DIR, STROBE_SPOOL_MAX_BYTES, STROBE_SPOOL_MAX_AGE_SECONDS    for that endpoint
//   STROBE_PULL_PORT, STROBE_PULL_HOST, STROBE_PULL_TOKEN    profiles for who asks
//
// A variable that is set to nothing counts as not set.

import { StrobeError } from '../errors';
import type { Exporter } from '../export/exporter';
import { fileExporter } from '../export/file';
import type { NetworkOptions } from '../export/network';
import { otlpExporter } from '../export/otlp';
import { pullExporter } from '../export/pull';
import { pyroscopeExporter } from '../export/pyroscope';
import { nearest } from '../nearest';
import type { Settings } from './settings';

type Env = Record<string, string | undefined>;

/** For an endpoint that the environment names. */
const FOR_ENDPOINT = [
  'STROBE_TOKEN',
  'STROBE_USERNAME',
  'STROBE_PASSWORD',
  'STROBE_TENANT',
  'STROBE_HEADERS',
  'STROBE_CA_FILE',
  'STROBE_CERT_FILE',
  'STROBE_KEY_FILE',
  'STROBE_SPOOL_DIR',
  'STROBE_SPOOL_MAX_BYTES',
  'STROBE_SPOOL_MAX_AGE_SECONDS',
] as const;

const KNOWN = [
  'STROBE_MODE',
  'STROBE_FREQUENCY_HZ',
  'STROBE_OVERHEAD_BUDGET_PERCENT',
  'STROBE_WINDOW_SECONDS',
  'STROBE_MAX_DEPTH',
  'STROBE_EXIT_TIMEOUT_SECONDS',
  'STROBE_SOURCE_MAPS',
  'STROBE_CONTROL',
  'STROBE_APP_NAME',
  'STROBE_TAGS',
  'STROBE_DIR',
  'STROBE_CONFIG',
  'STROBE_ENABLED',
  'STROBE_FOLLOW_CHILDREN',
  'STROBE_BINARY',
  'STROBE_OWNER_PID',
  'STROBE_RUN',
  'STROBE_PYROSCOPE_ENDPOINT',
  'STROBE_OTLP_ENDPOINT',
  'STROBE_PULL_PORT',
  'STROBE_PULL_HOST',
  'STROBE_PULL_TOKEN',
  ...FOR_ENDPOINT,
];

function refuse(message: string): never {
  throw new StrobeError('ERR_INVALID_OPTION', message);
}

function number(env: Env, name: string, least: number, most: number): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  const value = Number(text);
  if (Number.isNaN(value)) refuse(`${name} must be a number, got ${JSON.stringify(text)}`);
  if (value < least || value > most) refuse(`${name} must be a number from ${least} to ${most}, got ${value}`);
  return value;
}

function flag(env: Env, name: string): boolean | undefined {
  const text = env[name];
  if (!text) return undefined;
  if (text !== '0' && text !== '1') refuse(`${name} must be 0 or 1, got ${JSON.stringify(text)}`);
  return text === '1';
}

/** `key=value,key=value`. Values are shown in a message only where they can't be secrets. */
function pairs(env: Env, name: string, secret = false): Record<string, string> | undefined {
  const text = env[name];
  if (!text) return undefined;
  const items = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    items.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) refuse(`${name} must read key=value,key=value${secret ? '' : `; got ${JSON.stringify(pair)}`}`);
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    }),
  );
}

function modes(env: Env): ('cpu' | 'wall')[] | undefined {
  if (!env.STROBE_MODE) return undefined;
  return env.STROBE_MODE.split(',').map((text) => {
    const mode = text.trim();
    if (mode !== 'cpu' && mode !== 'wall') refuse(`STROBE_MODE must be cpu, wall or cpu,wall, got ${JSON.stringify(env.STROBE_MODE)}`);
    return mode as 'cpu' | 'wall';
  });
}

/** What an exporter refuses, said of the variables. */
function made(variables: string, make: () => Exporter): Exporter {
  try {
    return make();
  } catch (error) {
    if (error instanceof StrobeError) refuse(`${variables}: ${error.message}`);
    throw error;
  }
}

function network(env: Env, endpoint: string): NetworkOptions {
  const text = (option: string, name: string) => (env[name] ? { [option]: env[name] } : {});
  const tls = { ...text('caFile', 'STROBE_CA_FILE'), ...text('certFile', 'STROBE_CERT_FILE'), ...text('keyFile', 'STROBE_KEY_FILE') };
  const maxBytes = number(env, 'STROBE_SPOOL_MAX_BYTES', 2 ** 20, 2 ** 40);
  const maxAgeSeconds = number(env, 'STROBE_SPOOL_MAX_AGE_SECONDS', 60, 604_800);
  const headers = pairs(env, 'STROBE_HEADERS', true);
  return {
    endpoint,
    ...text('token', 'STROBE_TOKEN'),
    ...text('username', 'STROBE_USERNAME'),
    ...text('password', 'STROBE_PASSWORD'),
    ...text('tenant', 'STROBE_TENANT'),
    ...(headers && { headers }),
    ...(Object.keys(tls).length > 0 && { tls }),
    spool: {
      ...text('dir', 'STROBE_SPOOL_DIR'),
      ...(maxBytes !== undefined && { maxBytes }),
      ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
    },
  };
}

function exporters(env: Env, hasFile: boolean): Exporter[] | undefined {
  const { STROBE_PYROSCOPE_ENDPOINT: pyroscope, STROBE_OTLP_ENDPOINT: otlp, STROBE_DIR: dir } = env;
  const given = FOR_ENDPOINT.filter((name) => env[name]);
  if (given.length > 0 && pyroscope && otlp) {
    refuse(`${given.join(', ')}: for STROBE_PYROSCOPE_ENDPOINT or for STROBE_OTLP_ENDPOINT? With both, say it in strobe.toml`);
  }
  // With a file they are what its ${…} read.
  if (given.length > 0 && !pyroscope && !otlp && !hasFile) {
    refuse(`${given.join(', ')} without an endpoint: set STROBE_PYROSCOPE_ENDPOINT or STROBE_OTLP_ENDPOINT`);
  }
  const port = number(env, 'STROBE_PULL_PORT', 0, 65_535);
  if (port === undefined && !hasFile && (env.STROBE_PULL_HOST || env.STROBE_PULL_TOKEN))
    refuse('STROBE_PULL_HOST and STROBE_PULL_TOKEN need STROBE_PULL_PORT');
  const result = [
    ...(dir ? [made('STROBE_DIR', () => fileExporter({ dir }))] : []),
    ...(pyroscope ? [made('STROBE_PYROSCOPE_ENDPOINT and what goes with it', () => pyroscopeExporter(network(env, pyroscope)))] : []),
    ...(otlp ? [made('STROBE_OTLP_ENDPOINT and what goes with it', () => otlpExporter(network(env, otlp)))] : []),
    ...(port === undefined
      ? []
      : [
          made('STROBE_PULL_*', () =>
            pullExporter({
              port,
              ...(env.STROBE_PULL_HOST && { host: env.STROBE_PULL_HOST }),
              ...(env.STROBE_PULL_TOKEN && { token: env.STROBE_PULL_TOKEN }),
            }),
          ),
        ]),
  ];
  return result.length > 0 ? result : undefined;
}

/**
 * Options that the variables give; what they don't is left out.
 * @param hasFile there is a strobe.toml
 * @throws StrobeError ERR_INVALID_OPTION that names the variable
 */
export function readEnvironment(env: Env, hasFile: boolean): Settings['options'] {
  const options: Record<string, unknown> = {
    mode: modes(env),
    frequencyHz: number(env, 'STROBE_FREQUENCY_HZ', 1, 1000),
    overheadBudgetPercent: number(env, 'STROBE_OVERHEAD_BUDGET_PERCENT', 0.05, 50),
    windowSeconds: number(env, 'STROBE_WINDOW_SECONDS', 1, 3600),
    maxDepth: number(env, 'STROBE_MAX_DEPTH', 1, 4096),
    exitTimeoutSeconds: number(env, 'STROBE_EXIT_TIMEOUT_SECONDS', 0, 60),
    sourceMaps: flag(env, 'STROBE_SOURCE_MAPS'),
    control: flag(env, 'STROBE_CONTROL'),
    appName: env.STROBE_APP_NAME || undefined,
    tags: pairs(env, 'STROBE_TAGS'),
    exporters: exporters(env, hasFile),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Settings['options'];
}

/** Variables that are one or two letters away from a known one: said, not refused (Kubernetes sets STROBE_PORT and the like for a service of that name). */
export function misspelt(env: Env): string[] {
  const result: string[] = [];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('STROBE_') || KNOWN.includes(name)) continue;
    const meant = nearest(name, KNOWN);
    if (meant !== undefined && isSlip(name, meant)) result.push(`${name} is not known; did you mean ${meant}?`);
  }
  return result;
}

/** Nearer than "did you mean" goes elsewhere: the prefix makes every such name look alike. */
function isSlip(name: string, meant: string): boolean {
  const bare = (text: string) => text.slice('STROBE_'.length);
  return bare(meant).length > 4 && nearest(bare(name), [bare(meant)]) !== undefined && Math.abs(name.length - meant.length) <= 2;
}
