// The block that a text ends in: only the part of it that may still change is read again, so that a
// long paragraph, list, quotation or table costs no more for each piece of text than a short one.
import { codeSpans } from "./code_ranges";
import { findFormulas } from "./formulas";
import { type Block, type ElementNode, makeBlocks, type PageNode } from "./nodes";
import { endsOpen, parse, type Parsed, type References } from "./parser";

/** A block whose beginning is final. */
export interface OpenBlock {
  /** The index in the text at which the part begins that may change. */
  readonly start: number;
  /** What is read before it: the head of a table, or an item that tells whether a list is loose. */
  readonly head: string;
  /** The block, with whatever children it had. */
  readonly node: ElementNode;
  /** The numbers of final children, from the block inwards. */
  readonly kept: readonly number[];
  /** The final part of the text node with which the changing part begins. */
  readonly text: string;
  readonly isLoose: boolean | null;
}

/** The end of a text from an open block on. */
export interface Reading {
  readonly text: string;
  readonly parsed: Parsed;
  /** Of the open block, only the children that are not final. */
  readonly blocks: Block[];
  readonly open: OpenBlock | null;
}

/** Read a text from its open block on; null if that block is no longer what it was. */
export function readFrom(
  source: string, open: OpenBlock | null, goesOn: boolean, references: References,
): Reading | null {
  const text = open ? open.head + source.slice(open.start) : source;
  const parsed = parse(text, goesOn, references);
  if (open && isLoose(parsed) !== open.isLoose) return null;
  const blocks = makeBlocks(text, parsed, goesOn);
  if (!open) return { text, parsed, blocks, open };
  const [block, ...more] = blocks;
  if (block?.node.type !== "element" || block.node.tag !== open.node.tag) return null;
  const node = { ...open.node, children: continued(block.node.children, open) };
  return { text, parsed, blocks: [{ ...block, node }, ...more], open };
}

function continued(children: PageNode[], { node, text }: OpenBlock): PageNode[] {
  const [first, ...more] = children;
  if (LISTS.includes(node.tag)) return more;
  if (node.tag === "table") return more.length ? more : [{ ...node, tag: "tbody", children: [] }];
  if (!text) return children;
  return first?.type === "text" ? [{ ...first, text: text + first.text }, ...more] : [{ type: "text", text }, ...children];
}

/** Find what is final now, if a text ends in the first block that was read. */
export function narrow({ text, parsed, blocks: [block], open }: Reading, references: References): OpenBlock | null {
  if (block?.node.type !== "element") return open;
  const { node, line } = block as Block & { node: ElementNode };
  const begin = parsed.indexOf(line);
  const offset = open ? open.start - open.head.length : 0;
  const known = { node, head: open?.head ?? "", kept: open?.kept ?? [], text: open?.text ?? "", offset };
  const found = node.tag === "p" ? cutParagraph(text.slice(begin), { ...known, offset: offset + begin }, references)
    : node.tag === "table" ? cutTable(text, parsed, known)
    : node.tag === "blockquote" || LISTS.includes(node.tag) ? cutContainer(text, parsed, known) : null;
  return found ?? open;
}

const LISTS = ["ul", "ol"];
/** A table with more columns only wants to do harm: each short row is filled up. */
const MOST_COLUMNS = 100;

interface Known {
  readonly node: ElementNode;
  readonly head: string;
  readonly kept: readonly number[];
  readonly text: string;
  /** The index in the whole text of the text that was read. */
  readonly offset: number;
}

/** All but the last item, or the last block of a quotation, is final. */
function cutContainer(text: string, parsed: Parsed, { node, head, kept, offset }: Known): OpenBlock | null {
  const lines = linesOf(parsed, ({ level, nesting }) => level === 1 && nesting >= 0).slice(head ? 1 : 0);
  const last = lines.at(-1);
  const loose = isLoose(parsed);
  if (last === undefined || lines.length < 2 || lines.length !== node.children.length) return null;
  if (loose === null && node.tag !== "blockquote") return null;
  const start = parsed.indexOf(last);
  const marker = node.tag === "blockquote" ? "" : MARKER.exec(text.slice(start, start + 20))?.[0];
  if (marker === undefined) return null;
  return {
    start: offset + start, head: marker && `${marker} x\n${loose ? "\n" : ""}`, node,
    kept: [(kept[0] ?? 0) + lines.length - 1], text: "", isLoose: loose,
  };
}

const MARKER = /^ {0,3}(?:[-*+]|\d{1,9}[.)])/;

/** All rows but the last one are final. */
function cutTable(text: string, parsed: Parsed, { node, kept, offset }: Known): OpenBlock | null {
  const lines = linesOf(parsed, ({ type }) => type === "tr_open");
  const body = node.children.at(-1);
  const last = lines.at(-1);
  if (last === undefined || body?.type !== "element" || body.tag !== "tbody" || body.children.length < 2) return null;
  const [row] = body.children;
  if (row?.type !== "element" || row.children.length > MOST_COLUMNS) return null;
  const head = text.slice(parsed.indexOf(lines[0] as number), parsed.indexOf((lines[0] as number) + 2));
  return {
    start: offset + parsed.indexOf(last), head, node, kept: [1, (kept[1] ?? 0) + body.children.length - 1], text: "",
    isLoose: null,
  };
}

/** The first lines of tokens of the first block. */
function linesOf({ tokens }: Parsed, test: (token: Parsed["tokens"][number]) => boolean): number[] {
  const lines: number[] = [];
  for (const token of tokens) {
    if (token.level === 0 && token.nesting < 0) break;
    if (token.map && test(token)) lines.push(token.map[0]);
  }
  return lines;
}

/** Whether the items of the list that a text begins with stand apart; null without a list, or if none tells. */
function isLoose({ tokens }: Parsed): boolean | null {
  if (!tokens[0]?.type.endsWith("_list_open")) return null;
  for (const { level, nesting, type, hidden } of tokens) {
    if (level === 0 && nesting < 0) break;
    if (level === 2 && type === "paragraph_open") return !hidden;
  }
  return null;
}

/** So short a paragraph costs nothing to read again. */
const SHORT = 200;
const MOST_TRIES = 4;
/** The end of a word and a space, before a word that can begin no other block. */
const BETWEEN_WORDS = /[\p{L}\p{N},.;:?!)] (?=\p{L})/gu;

/** All before a word is final, if nothing in it is open. */
function cutParagraph(text: string, { node, kept, text: begun, offset }: Known, references: References): OpenBlock | null {
  const end = text.length < SHORT ? 0 : findCut(text, references);
  if (!end) return null;
  const prefix = text.slice(0, end);
  const [block] = makeBlocks(prefix, parse(prefix, false, references), false);
  const children = block?.node.type === "element" ? block.node.children : [];
  const last = children.at(-1);
  if (last?.type !== "text") return null;
  const before = children.length === 1 ? begun : "";
  return {
    start: offset + end, head: "", node, kept: [(kept[0] ?? 0) + children.length - 1],
    text: `${before}${last.text} `, isLoose: null,
  };
}

/** The index of the last word before which nothing is open, or 0. */
function findCut(text: string, references: References): number {
  const masked = maskClosed(text);
  // Of two dollars that are no formula, the second one may yet begin one.
  const openers = [masked.search(OPENER), masked.lastIndexOf("$")].filter((index) => index >= 0);
  let limit = Math.min(masked.length, ...openers);
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const before = masked.slice(0, limit);
    const found = [...before.matchAll(BETWEEN_WORDS)].at(-1);
    if (!found) return 0;
    const end = found.index + found[0].length;
    if (!endsOpen(before.slice(0, end), references)) return end;
    limit = Math.max(...["*", "_", "~"].map((mark) => before.lastIndexOf(mark, end)));
  }
  return 0;
}

const LINK = /!?\[[^[\]\n]*\](?:\([^()\s]*\))?/g;
const OPENER = /[`[]|<[a-z/!]|\$\$|\\[([\\b]/i;

/** Hide code, formulas and links that are whole. */
function maskClosed(text: string): string {
  const spans = codeSpans(text, 0, text.length);
  let [masked, at] = ["", 0];
  for (const { start, end } of [...spans, ...findFormulas(text, spans, false)].sort((a, b) => a.start - b.start)) {
    masked += text.slice(at, start) + "@".repeat(end - start);
    at = end;
  }
  return (masked + text.slice(at)).replace(LINK, (link) => "@".repeat(link.length));
}
