// Making of elements, text, buttons and icons: the only ways in which anything gets into the page.

/** Make an element with a class and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Set the text of an element; the same text again costs nothing and is not read out. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Make an option of a select. */
export function option(value: string, text = value): HTMLOptionElement {
  const made = element("option", "", text);
  made.value = value;
  return made;
}

// Text nodes that grow without end cost a copy of the whole for each addition.
const LONGEST_NODE = 2048;

/** Append text to the last text node of `parent`, or to a new one if that is long. */
export function appendText(parent: Element, text: string): void {
  const last = parent.lastChild;
  if (last instanceof Text && last.length < LONGEST_NODE) last.appendData(text);
  else parent.append(text);
}

// Lines in one block are laid out together: beyond this the next ones get a block of their own.
const LONGEST_BLOCK = 4096;

/** Append code to `parent`; long code is split into blocks of lines. */
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

/** The length of the text in a block, counted as far as a long one begins. */
function lengthOf({ childNodes }: Element): number {
  let length = 0;
  for (const { nodeValue } of childNodes) {
    length += nodeValue?.length ?? 0;
    if (length >= LONGEST_BLOCK) break;
  }
  return length;
}

/** Make a button with an accessible name. */
export function button(
  className: string,
  label: string,
  onPress: (event: MouseEvent) => void,
  ...content: (Node | string)[]
): HTMLButtonElement {
  const made = element("button", className, ...content);
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", onPress);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an icon of one path, in the colour of the text around it. */
export function drawing(path: string, className: string): SVGElement {
  const made = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "path");
  made.setAttribute("class", className);
  made.setAttribute("viewBox", "0 0 12 12");
  made.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", path);
  made.append(shape);
  return made;
}

export const SHAPES = {
  running: "M6 1.75 A4.25 4.25 0 1 1 1.75 6",
  done: "M2.25 6.5 4.75 9 9.75 3.25",
  failed: "M2.75 2.75 9.25 9.25 M9.25 2.75 2.75 9.25",
  stop: "M2.5 2.5 H9.5 V9.5 H2.5 Z",
  previous: "M7.75 2.5 4 6 7.75 9.5",
  next: "M4.25 2.5 8 6 4.25 9.5",
  close: "M2.75 2.75 9.25 9.25 M9.25 2.75 2.75 9.25",
} as const;

/** Put a text on the clipboard; false where the browser does not let us. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS there is no such clipboard, and an old way to it.
    return copyByCommand(text);
  }
}

function copyByCommand(text: string): boolean {
  const focused = document.activeElement;
  const field = element("textarea");
  field.value = text;
  field.style.cssText = "position:fixed;opacity:0";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return copied;
}
