// What is zoomed to, as a link holds it: the functions from the root's child down, for a node's number is another in every tree.
//
// Contract: reads a tree, writes nothing. Called by the graphs.

import { childrenOf, pathTo, ROOT, type Tree } from './tree';

/** From the root's child down; `function:line` where frames are split by line. */
export function zoomPath(tree: Tree, node: number): string[] {
  return pathTo(tree, node)
    .slice(1)
    .map((one) => `${tree.func[one]}${tree.line[one] ? `:${tree.line[one]}` : ''}`);
}

/** As deep as the path leads in this tree. */
export function nodeOfPath(tree: Tree, path: string[]): number {
  let node = ROOT;
  for (const step of path) {
    const [func, line = 0] = step.split(':').map(Number);
    const child = childrenOf(tree, node).find((one) => tree.func[one] === func && tree.line[one] === line);
    if (child === undefined) return node;
    node = child;
  }
  return node;
}
