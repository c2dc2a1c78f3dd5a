// A link may be of another profile: what a state asks for and this profile has not is left out.
//
// Contract: reads the model, changes the state in place. Called by the page before each scene.

import type { Model } from './model';
import { timeType } from './query';
import type { State } from './state';

export function tidy(state: State, model: Model, isDiff: boolean): void {
  const filters: State['filters'] = new Map();
  for (const [key, values] of state.filters) {
    const label = model.labelKey(key);
    const known = [...values].filter((value) => label && (value === null || label.values.includes(value)));
    if (known.length > 0) filters.set(key, new Set(known));
  }
  const same = filters.size === state.filters.size && [...filters].every(([key, values]) => values.size === state.filters.get(key)?.size);
  if (!same) state.filters = filters;
  if (state.groupBy.some((key) => !model.labelKey(key))) state.groupBy = state.groupBy.filter((key) => model.labelKey(key));
  if (state.func !== null && state.func >= model.functionCount) state.func = null;
  if (state.func === null) state.view = 'flame';
  const { time } = model.columns;
  if (state.range && (!time || state.range[0] > (time.bucket.at(-1) ?? -1))) state.range = null;
  // The time line has the values of one sample type.
  if (state.range) state.type = timeType(model);
  if (state.colour.startsWith('label:') && !model.labelKey(state.colour.slice('label:'.length))) state.colour = isDiff ? 'diff' : 'kind';
}
