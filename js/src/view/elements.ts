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

// Lines in one block are laid out together: beyond this the next ones get a block of their own.
const LONGEST_BLOCK = 4096;

/** Add code at the end of `parent`; the longer it is, the more blocks of lines it is in. */
export function appendCode(parent: Element, code: string): void {
  const last = parent.lastElementChild ?? parent;
  const end = lengthOf(last) < LONGEST_BLOCK ? 0 : code.indexOf("\n") + 1;
  appendText(last, end ? code.slice(0, end) : code);
  const rest = end ? code.slice(end) : "";
  if (!rest) return;
  const block = element("span");
  block.style.display = "block";
  block.append(rest);
  parent.append(block);
}

function lengthOf(node: Element): number {
  return [...node.childNodes].reduce((sum, { nodeValue }) => sum + (nodeValue?.length ?? 0), 0);
}
