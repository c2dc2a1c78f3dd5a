// Who calls a function and what it calls: two trees with the function as their root, made of all stacks that hold it. A stack counts once, from the function's
// outermost frame on: callers are those of that frame, and what a recursion does is below it.

import { outermostNodes } from './tally';
import { ROOT, type Tree, TreeMaker } from './tree';

export interface Sandwich {
  /** The root's children are the direct callers. */
  callers: Tree;
  callees: Tree;
}

export function sandwich(tree: Tree, func: number, weights: number[], rank: Uint32Array): Sandwich {
  const columns = tree.sides.length;
  const callers = new TreeMaker(columns, func);
  const callees = new TreeMaker(columns, func);
  const made = new Uint32Array(tree.size);
  for (const top of outermostNodes(tree, func)) {
    let at = ROOT;
    for (let up = tree.parent[top] as number; up !== ROOT; up = tree.parent[up] as number) {
      at = callers.child(at, tree.func[up] as number, tree.line[up] as number);
    }
    tree.sides.forEach(({ total }, column) => {
      callers.addSelf(at, column, total[top] as number);
    });
    made[top] = ROOT;
    for (let i = tree.enter[top] as number; i < (tree.exit[top] as number); i++) {
      const node = tree.order[i] as number;
      if (node !== top)
        made[node] = callees.child(made[tree.parent[node] as number] as number, tree.func[node] as number, tree.line[node] as number);
      tree.sides.forEach(({ self }, column) => {
        callees.addSelf(made[node] as number, column, self[node] as number);
      });
    }
  }
  return { callers: callers.finish(weights, rank), callees: callees.finish(weights, rank) };
}
