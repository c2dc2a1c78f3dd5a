// For tests and measurements: where something is drawn, in pixels of the page, and what the page holds.
//
// Contract: reads the page and its graphs, writes nothing. Made by the app, which main.ts gives to the window.

import type { GraphView } from './graph';
import type { Graphs } from './graphs';
import type { HeatMap } from './heatmap';
import type { Page } from './page';
import type { Tree } from './tree';

export function makeProbe(page: Page, graphs: Graphs, heat: HeatMap) {
  /** The widest frame of the name. */
  const boxOfName = (view: GraphView, tree: Tree | undefined, name: string) => {
    const { scene } = page;
    if (!scene || !tree) return undefined;
    let best: number | undefined;
    for (let node = 0; node < tree.size; node++) {
      if (scene.rawName(tree.func[node] as number) !== name) continue;
      if (best === undefined || (tree.total[node] as number) > (tree.total[best] as number)) best = node;
    }
    return best === undefined ? undefined : view.boxOf(best);
  };
  return {
    frame: (name: string) => boxOfName(graphs.main, page.scene?.tree, name),
    caller: (name: string) => boxOfName(graphs.callers, graphs.sandwich?.callers, name),
    callee: (name: string) => boxOfName(graphs.callees, graphs.sandwich?.callees, name),
    cell: (column: number, row: number) => heat.boxOf(column, row),
    total: () => page.scene?.total,
    nodes: () => page.scene?.tree.size,
    part: () => graphs.main.part,
    selected: () => page.current && page.scene?.rawName(page.current.tree.func[page.current.node] as number),
  };
}
