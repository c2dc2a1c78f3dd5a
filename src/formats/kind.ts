// What sort of code a function is, from its name and file alone, so that profiles of other tools get kinds, too. The order of CODE_KINDS is that of legends.

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

export function codeKind(name: string, file: string): CodeKind {
  if (file === '') {
    if (/^\(garbage collector\)$|^GC$/.test(name)) return 'gc';
    if (/^\([a-z ]+\)$/.test(name) && name !== '(anonymous)') return 'vm';
    return /^0x[0-9a-f]+$/.test(name) ? 'native' : 'builtin';
  }
  if (file.startsWith('node:') || file.startsWith('internal/')) return 'node';
  if (file.startsWith('wasm:') || /\.wasm$/.test(file)) return 'wasm';
  if (/^0x[0-9a-f]+$/.test(name)) return 'native';
  return /[\\/]node_modules[\\/]/.test(file) ? 'dependency' : 'application';
}

/** A module's URL and a script's path are one file: the path. */
export function plainFile(file: string): string {
  return file.startsWith('file://') ? file.slice('file://'.length) : file;
}
