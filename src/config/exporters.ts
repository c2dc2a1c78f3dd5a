// A table [telemetry.profiling.exporter], or one of [[telemetry.profiling.exporters]], made into an exporter. Keys are the options' names in snake case; what the
// exporter's own check refuses is said with the file's line and key.

import { StrobeError } from '../errors';
import type { Exporter } from '../export/exporter';
import { fileExporter } from '../export/file';
import { otlpExporter } from '../export/otlp';
import { pullExporter } from '../export/pull';
import { pyroscopeExporter } from '../export/pyroscope';
import type { Table } from './table';

/** Key -> option, and how it is read. */
type Keys = Record<string, [option: string, read: 'text' | 'number' | 'texts' | 'flag']>;

const NETWORK: Keys = {
  endpoint: ['endpoint', 'text'],
  token: ['token', 'text'],
  username: ['username', 'text'],
  password: ['password', 'text'],
  tenant: ['tenant', 'text'],
  timeout_seconds: ['timeoutSeconds', 'number'],
  connect_timeout_seconds: ['connectTimeoutSeconds', 'number'],
  proxy: ['proxy', 'text'],
};
const TLS: Keys = { ca_file: ['caFile', 'text'], cert_file: ['certFile', 'text'], key_file: ['keyFile', 'text'] };
const SPOOL: Keys = { dir: ['dir', 'text'], max_bytes: ['maxBytes', 'number'], max_age_seconds: ['maxAgeSeconds', 'number'] };

interface Kind {
  keys: Keys;
  make: (options: never) => Exporter;
}

const KINDS: Record<string, Kind> = {
  file: {
    keys: {
      file_output_dir: ['dir', 'text'],
      write: ['write', 'text'],
      max_files: ['maxFiles', 'number'],
      max_bytes: ['maxBytes', 'number'],
      max_age_seconds: ['maxAgeSeconds', 'number'],
    },
    make: fileExporter,
  },
  pyroscope: {
    keys: {
      pyroscope_endpoint: ['endpoint', 'text'],
      ...NETWORK,
      api: ['api', 'text'],
      max_label_values: ['maxLabelValues', 'number'],
      max_series: ['maxSeries', 'number'],
      drop_labels: ['dropLabels', 'texts'],
    },
    make: pyroscopeExporter,
  },
  otlp: { keys: { ...NETWORK, path: ['path', 'text'], compression: ['compression', 'text'] }, make: otlpExporter },
  pull: { keys: { port: ['port', 'number'], host: ['host', 'text'], token: ['token', 'text'] }, make: pullExporter },
};

/** @throws StrobeError ERR_INVALID_OPTION with file, line and key */
export function readExporter(table: Table): { exporter: Exporter; appName: string | undefined } {
  const type = table.text('type');
  const allowed = Object.keys(KINDS).map((name) => `"${name}"`);
  if (type === undefined) return table.refuse('type', `is missing; allowed: ${allowed.join(', ')}`);
  if (type === 'gcp') return table.refuse('type', `"gcp" is not available in this version; allowed: ${allowed.join(', ')}`);
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (!kind) return table.refuse('type', `is not known; allowed: ${allowed.join(', ')}`);
  const overNetwork = 'endpoint' in kind.keys;
  table.only(['type', 'application_name', ...Object.keys(kind.keys), ...(overNetwork ? ['headers', 'tls', 'spool'] : [])]);
  const options = read(table, kind.keys);
  if (type === 'pyroscope' && table.has('endpoint') && table.has('pyroscope_endpoint'))
    table.refuse('endpoint', 'stands beside pyroscope_endpoint');
  if (overNetwork) {
    if (table.has('headers')) options.headers = table.table('headers')?.record();
    if (table.has('tls')) options.tls = readInner(table, 'tls', TLS);
    if (table.has('spool')) options.spool = table.values.spool === false ? false : readInner(table, 'spool', SPOOL);
  }
  try {
    return { exporter: kind.make(options as never), appName: table.text('application_name') };
  } catch (error) {
    if (!(error instanceof StrobeError)) throw error;
    return refuseInFileWords(table, kind.keys, error);
  }
}

function readInner(table: Table, key: string, keys: Keys): Record<string, unknown> | undefined {
  const inner = table.table(key)?.only(Object.keys(keys));
  return inner && read(inner, keys);
}

function read(table: Table, keys: Keys): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [key, [option, how]] of Object.entries(keys)) {
    const value = table[how](key);
    if (value !== undefined) options[option] = value;
  }
  return options;
}

/** The exporter names its option; the user wrote a key. */
function refuseInFileWords(table: Table, keys: Keys, { message }: StrobeError): never {
  const problem = message.replace(/^\w+: /, '');
  const [option = ''] = /^[\w.]+/.exec(problem) ?? [];
  const inner = /^(tls|spool)\.(\w+)$/.exec(option);
  const own = inner ? Object.entries(inner[1] === 'tls' ? TLS : SPOOL) : Object.entries(keys);
  const name = inner?.[2] ?? option;
  const candidates = own.filter(([, [target]]) => target === name).map(([key]) => key);
  const key = candidates.find((candidate) => inner || table.has(candidate)) ?? candidates[0];
  if (key === undefined) return table.refuse(/^headers\./.test(option) ? 'headers' : '', `: ${problem}`);
  return table.refuse(inner ? `${inner[1]}.${key}` : key, problem.slice(option.length).trim());
}
