// Search: which functions and groups a text matches. Without regard to case, in name, package and file; `/…/` is a regular expression; `(builtin)`, as the table
// of packages names what belongs to none, is that kind of code.

import { KIND_NAMES } from './colours';
import type { Scene } from './scene';

/** A regular expression may take exponential time: it sees no more of a name than this. */
const MOST_TESTED = 1000;

export type Found = { matches: Uint8Array; count: number } | { problem: string };

/** @returns undefined for an empty search; by function and group: 1 where it matches */
export function search(scene: Scene, text: string): Found | undefined {
  const wanted = text.trim();
  if (wanted === '') return undefined;
  let test: (text: string) => boolean;
  const pattern = /^\/(.+)\/$/s.exec(wanted);
  if (pattern) {
    try {
      const expression = new RegExp(pattern[1] as string, 'i');
      test = (candidate) => expression.test(candidate.slice(0, MOST_TESTED));
    } catch {
      return { problem: 'not a regular expression' };
    }
  } else {
    const lower = wanted.toLowerCase();
    test = (candidate) => candidate.toLowerCase().includes(lower);
  }
  const { model } = scene;
  const matches = new Uint8Array(scene.functionsAndGroups + 1);
  let count = 0;
  for (let func = 0; func < scene.functionsAndGroups; func++) {
    const ofKind = func < model.functionCount && model.packageName(func) === '' && wanted === `(${KIND_NAMES[model.kind(func)]})`;
    const found =
      ofKind || test(scene.rawName(func)) || (func < model.functionCount && (test(model.packageName(func)) || test(model.file(func))));
    if (!found) continue;
    matches[func] = 1;
    count++;
  }
  return { matches, count };
}
