// Mermaid diagrams in the page, drawn by the notebook's own renderer as it draws them in finished
// replies. Mermaid has statements that fetch, so that only sources of which nothing can are given to
// it, as in chatnb/markdown/diagrams.py.
import { CHARACTERS, MEMBER, MEMBERS, STATEMENT, TYPE } from "../generated/diagram_patterns";
import { element } from "../widgets/html";
import type { MarkdownParser } from "./host";

const DRAWN = ".jp-RenderedMermaid";
/** What a drawing consists of; its source and the report of an error are text. */
const PARTS = new Set(["DIV", "FIGURE", "FIGCAPTION", "IMG", "DETAILS", "SUMMARY", "PRE", "CODE"]);
const PICTURE = "data:image/svg+xml,";
const OPENINGS = new Map(Object.entries(MEMBERS));

/** Whether the source of a diagram can neither fetch nor act. */
export function isInertDiagram(source: string): boolean {
  const lines = source.replace(/^\n+|\n+$/g, "").split("\n").map(asRead);
  if (!lines.every((line) => isPrintable(line) && CHARACTERS.test(line))) return false;
  const [first = "", ...others] = lines;
  if (!TYPE.test(first)) return false;
  const opening = OPENINGS.get(first.replace(/-v2$/, ""));
  let isMember = false;
  for (const line of others) {
    if (!(isMember ? MEMBER : STATEMENT).test(line)) return false;
    if (opening) isMember = isMember ? line !== "}" : opening.test(line);
  }
  return true;
}

/** Show the drawing of a diagram in place of its source, which stays for Copy. */
export async function drawDiagram(code: HTMLElement, parser: MarkdownParser): Promise<void> {
  const source = code.textContent ?? "";
  // Nested ones stay text in finished replies.
  if (code.closest("li, blockquote") || !isInertDiagram(source)) return;
  const html = await parser.render(`\`\`\`mermaid\n${source}\n\`\`\``);
  // Parsed like this, it neither runs nor fetches anything.
  const drawn = new DOMParser().parseFromString(html, "text/html").querySelector(DRAWN);
  const pre = code.parentElement;
  if (!drawn || pre?.tagName !== "PRE" || code.textContent !== source) return;
  code.hidden = true;
  pre.classList.add("chatnb-diagram");
  pre.append(copyOf(drawn));
}

function copyOf(drawn: Element): HTMLElement {
  const made = element(PARTS.has(drawn.tagName) ? (drawn.localName as "div") : "div", drawn.className);
  for (const name of ["alt", "width"]) {
    const value = drawn.getAttribute(name);
    if (value !== null) made.setAttribute(name, value);
  }
  const picture = drawn.getAttribute("src") ?? "";
  if (made instanceof HTMLImageElement && picture.startsWith(PICTURE)) made.src = picture;
  for (const child of drawn.childNodes) {
    if (child instanceof Element) made.append(copyOf(child));
    else made.append(child.nodeValue ?? "");
  }
  return made;
}

/** A line as Python's patterns read it, to which all letters and digits are those of words. */
function asRead(line: string): string {
  const trimmed = line.replace(/^[ \t]+|[ \t]+$/g, "");
  return trimmed.replace(/[^\x00-\x7f]/gu, (found) => (/[\p{L}\p{N}]/u.test(found) ? "0" : found));
}

function isPrintable(line: string): boolean {
  return /^(?:[^\p{C}\p{Z}]| )*$/u.test(line);
}
