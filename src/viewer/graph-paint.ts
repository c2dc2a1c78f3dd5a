// Draws the part of a flame graph that is in view onto its canvas: frames, their texts, where many small ones are merged, what is selected and hovered.
//
// It draws all of the rows that it is given, and knows nothing of scrolling, pointers or profiles.

import { drawFrame, fitText, TEXT_PADDING, type TextStyle, type View, walk } from './paint';

export type Fill = string | { fill: string; share: number }[];

/** How frames look. */
export interface Look {
  fill: (node: number) => Fill;
  text: (node: number) => string;
  textColour: (node: number) => string;
  /** Drawn weakly: not what was searched for. */
  dimmed: (node: number) => boolean;
  colours: () => { background: string; merged: string; accent: string };
}

export interface Painting {
  /** Of the canvas, in CSS pixels, as all lengths here. */
  height: number;
  rows: [first: number, last: number];
  /** Where a row begins on the canvas. */
  top: (row: number) => number;
  style: TextStyle;
  look: Look;
  selected: number | undefined;
  hovered: number | undefined;
}

/** Rounding of doubles must not make a frame look clipped. */
const GRAIN = 1e-9;
const DIMMED = 0.32;
const DIMMED_TEXT = 0.6;
const CLIPPED = 0.55;

/** Wider than what is shown: an ancestor of what was zoomed to. */
function isClipped({ tree, from, to }: View, node: number): boolean {
  const start = tree.start[node] as number;
  return start < from * (1 - GRAIN) || start + (tree.total[node] as number) > to * (1 + GRAIN);
}

export function paintGraph(context: CanvasRenderingContext2D, view: View, painting: Painting): void {
  const { look, rows, top, style, selected, hovered } = painting;
  const { background, merged, accent } = look.colours();
  const height = view.frameHeight;
  context.globalAlpha = 1;
  context.fillStyle = background;
  context.fillRect(0, 0, view.width, painting.height);
  context.font = style.font;
  context.textBaseline = 'middle';
  const measure = (piece: string) => context.measureText(piece).width;
  let outlined: { x: number; y: number; width: number } | undefined;
  walk(
    view,
    rows[0],
    rows[1],
    (node, x, width, row) => {
      const y = top(row);
      const dimmed = look.dimmed(node);
      context.globalAlpha = dimmed ? DIMMED : isClipped(view, node) ? CLIPPED : 1;
      drawFrame(context, { x, width, y, height }, look.fill(node));
      const label = fitText(look.text(node), width, style, measure);
      if (label !== '') {
        context.fillStyle = look.textColour(node);
        context.globalAlpha = dimmed ? DIMMED_TEXT : 1;
        context.fillText(label, x + TEXT_PADDING, y + height / 2);
      }
      if (node === hovered && node !== selected) {
        context.globalAlpha = 1;
        context.strokeStyle = accent;
        context.lineWidth = 1;
        context.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 2), height - 2);
      }
      if (node === selected) outlined = { x, y, width };
    },
    (x, width, row) => {
      context.globalAlpha = 1;
      context.fillStyle = merged;
      context.fillRect(x, top(row), width, height - 1);
    },
  );
  context.globalAlpha = 1;
  if (outlined) {
    context.strokeStyle = accent;
    context.lineWidth = 2;
    context.strokeRect(outlined.x + 1, outlined.y + 1, Math.max(2, outlined.width - 3), height - 3);
  }
}
