// The making of elements and text: the only ways in which anything gets into the page.

/** An element with our class. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = "",
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

// Text nodes that grow without end cost a copy of the whole for each addition.
const LONGEST_NODE = 2048;

/** Add `text` at the end of `parent`, to the text node that is there if it is not too long. */
export function appendText(parent: Element, text: string): void {
  const last = parent.lastChild;
  if (last instanceof Text && last.length < LONGEST_NODE) last.appendData(text);
  else parent.append(text);
}
