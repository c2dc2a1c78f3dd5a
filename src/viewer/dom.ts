// Elements without markup: everything a profile holds becomes a text node or an attribute value, never HTML.

type Attributes = Record<string, string | number | boolean | undefined | ((event: Event) => void)>;
export type Child = Node | string | null | undefined | false;

/** `onclick`-like attributes that are functions become listeners; `true` is an empty attribute, `false` and undefined are none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

export function append(parent: Node, children: Child[]): void {
  for (const child of children) if (child) parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

export function button(text: string, title: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h('button', { type: 'button', title, ...attributes, onclick: onClick }, text);
}

/** A labelled menu. Values are texts. */
export function menu(
  label: string,
  options: { value: string; text: string }[],
  value: string,
  onChange: (value: string) => void,
  attributes: Attributes = {},
): HTMLLabelElement {
  const select = h('select', { ...attributes, onchange: () => onChange(select.value) });
  for (const option of options) select.appendChild(h('option', { value: option.value, selected: option.value === value }, option.text));
  return h('label', { class: 'field' }, h('span', {}, label), select);
}

/** One of some values, as buttons side by side. */
export function choice<T extends string>(
  label: string,
  options: { value: T; text: string; title: string }[],
  value: T,
  onChange: (value: T) => void,
): HTMLElement {
  const group = h('div', { class: 'choice', role: 'group', 'aria-label': label });
  for (const option of options) {
    group.appendChild(button(option.text, option.title, () => onChange(option.value), { 'aria-pressed': String(option.value === value) }));
  }
  return group;
}
