// The kinds of code as the SVG pictures name and colour them. The order of CODE_KINDS is that of legends.

import { originOf } from './flamegraph/kinds';
import { KINDS, type Kind } from './flamegraph/page-data';

/** `vm`: states of the engine and of the profiler: (program), (idle), (lost), (truncated) … `native`: machine code that nobody symbolised. */
export const CODE_KINDS = ['application', 'dependency', 'node', 'builtin', 'wasm', 'gc', 'native', 'vm'] as const;
export type CodeKind = (typeof CODE_KINDS)[number];

/** For people. */
export const KIND_NAMES: Record<CodeKind, string> = {
  application: 'application',
  dependency: 'dependency',
  node: 'Node.js internal',
  builtin: 'builtin',
  wasm: 'WebAssembly',
  gc: 'garbage collection',
  native: 'native code',
  vm: 'engine state',
};

/** By the rules of the flame graph page: both pictures of one profile agree. An address for a name is code that nobody symbolised. */
export function codeKind(name: string, file: string): CodeKind {
  const kind = KINDS[originOf(name, file, /^0x[0-9a-f]+$/.test(name)).kind] as Kind;
  return kind === 'engine' ? 'vm' : kind;
}

/** A module's URL and a script's path are one file: the path. */
export function plainFile(file: string): string {
  return file.startsWith('file://') ? file.slice('file://'.length) : file;
}
