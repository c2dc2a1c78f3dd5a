// How a frame looks now: its fill, its text, and whether it stands back behind what was searched for or picked.
//
// Contract: reads the page when a frame is drawn, so that a change needs a drawing and nothing else; writes nothing. Called by the graphs, for each of theirs.

import type { GraphOptions } from './graph';
import type { Page } from './page';
import type { Scene } from './scene';
import { ROOT, type Tree } from './tree';

export type FrameLook = Pick<GraphOptions, 'colours' | 'fill' | 'text' | 'textColour' | 'dimmed'>;

/** @param treeOf the tree of the graph, undefined while it has none */
export function frameLook(page: Page, treeOf: () => Tree | undefined): FrameLook {
  const withTree = <T>(use: (scene: Scene, tree: Tree) => T, otherwise: T): T => {
    const tree = treeOf();
    return page.scene && tree ? use(page.scene, tree) : otherwise;
  };
  const isMatch = (tree: Tree, node: number) => page.matches?.[tree.func[node] as number] === 1;
  return {
    colours: () => page.theme,
    fill: (node) => withTree((_, tree) => (isMatch(tree, node) ? page.theme.match : page.colouring.fill(tree, node)), ''),
    text: (node) => withTree((scene, tree) => scene.frameText(tree.func[node] as number, tree.line[node] as number), ''),
    textColour: (node) => withTree((_, tree) => (isMatch(tree, node) ? page.theme.matchText : page.theme.frameText), ''),
    dimmed: (node) =>
      withTree((_, tree) => {
        if (page.matches) return !isMatch(tree, node) && node !== ROOT;
        // A function that was picked in the table stands out.
        return (
          page.picked !== undefined && !page.current && page.state.view === 'flame' && tree.func[node] !== page.picked && node !== ROOT
        );
      }, false),
  };
}
