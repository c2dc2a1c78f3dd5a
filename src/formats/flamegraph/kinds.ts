// What kind of code a function is, and whose: read from its name and its file. One rule a line, the first that holds decides.

import { KINDS, type Kind } from './page-data';

export interface Origin {
  /** Into KINDS. */
  kind: number;
  /** The package of a dependency (`express`, `@fastify/cookie`, `golang.org/x/net`), the file of native code; '' for all else. */
  package: string;
}

const NODE_MODULES = /^.*[/\\]node_modules[/\\](?:\.pnpm[/\\][^/\\]+[/\\]node_modules[/\\])?((?:@[^/\\]+[/\\])?[^/\\]+)/s;
const GO_MODULE = /[/\\]pkg[/\\]mod[/\\](.+?)@v/s;
// Go's own library: the toolchain's folder, or an installed one.
const GO_LIBRARY = /(?:^|[/\\])(?:go|go[\d.]+|golang|go@[\d.]+)[/\\](?:[\d.]+[/\\])?(?:libexec[/\\])?src[/\\](?!.*[/\\]vendor[/\\])/s;
const SHARED_LIBRARY = /(?:\.node|\.so(?:\.\d+)*|\.dylib|\.dll|\.exe)$/i;

const origin = (kind: Kind, name = ''): Origin => ({ kind: KINDS.indexOf(kind), package: name });

/** @param isNative the function has no source: an address in a mapped file */
export function originOf(name: string, file: string, isNative = false): Origin {
  if (name === '(garbage collector)') return origin('gc');
  // Node's internals and dependencies first: a file decides where there is one.
  if (file.startsWith('node:')) return origin('node');
  if (file.startsWith('wasm:') || (file === '' && name.startsWith('wasm-'))) return origin('wasm');
  const dependency = NODE_MODULES.exec(file)?.[1] ?? GO_MODULE.exec(file)?.[1];
  if (dependency !== undefined) return origin('dependency', dependency.replaceAll('\\', '/'));
  if (isNative || SHARED_LIBRARY.test(file))
    return origin('native', file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1));
  if (GO_LIBRARY.test(file) && /\.(?:go|s)$/.test(file)) return origin('dependency', 'Go library');
  if (/\.wasm$/i.test(file)) return origin('wasm');
  if (file !== '') return origin('application');
  // Without a file: what the VM says of itself stands in brackets, all else is its own code.
  if (name === '(anonymous)') return origin('application');
  return origin(/^\(.*\)$/s.test(name) ? 'engine' : 'builtin');
}
