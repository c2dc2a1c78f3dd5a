// Text to the clipboard, from a page that may be a file on a disk.
//
// Contract: reads nothing of the page; leaves no element behind. Called by the app.

import { h } from './dom';

/** @returns whether the browser let it */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No permission, or no such interface: the old way needs a field with the text.
    const field = h('textarea', { class: 'copy-field', 'aria-hidden': 'true' });
    field.value = text;
    document.body.appendChild(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}
