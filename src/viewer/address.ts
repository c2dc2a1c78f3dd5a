// The state in the browser's address, and the history of it.
//
// Contract: reads and writes the fragment of `location`; what the fragment says is state.ts's. Called by the page only.

import { fromFragment, type Limits, type State, toFragment } from './state';

export function readAddress(limits: Limits): State {
  return fromFragment(location.hash, limits);
}

/** @param push the back button comes back to the state before */
export function writeAddress(state: State, limits: Limits, push: boolean): void {
  const text = toFragment(state, limits);
  const address = text === '' ? location.href.replace(/#.*$/, '') : `#${text}`;
  if (`#${text}` === location.hash) return;
  // A browser that counts calls refuses the hundredth in a burst: the address is then behind, the page is not.
  try {
    if (push) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  } catch {
    return;
  }
}
