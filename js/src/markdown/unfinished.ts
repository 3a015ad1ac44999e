// The end of a text that goes on: marks that are open are closed, so that "**bo" is bold already,
// and what could yet become something else is held back.
import type { Env, MarkdownIt, Token } from "markdown-it";
import { backtickRuns, codeSpans } from "./code_ranges";

const MARKERS = /[*_~]/;
const TILDE = 126;
/** A line that may yet become an item, a rule, the line under a heading or a fence. */
const UNDECIDED_LINE = /(?:^|\n)[ \t>+*_=#`~|:\d.)[\]xX-]{0,60}$/;
/** Marks, an entity, a tag, an address or half a character that goes on. */
const UNDECIDED_END =
  /(?:[*_~`!\\[<]+|\\b(?:e(?:g(?:in?)?)?)?|&[a-z0-9#]{0,9}|<\/?[a-z]{0,4}|https?:?\/{0,2}|[\uD800-\uDBFF])$/i;
/** The definition of a link, which does not show. */
const DEFINITION = /(?:^|\n) {0,3}\[[^\]\n]+\]:[ \t]*[^\s]*[ \t]*(?:["'(][^\n]*)?$/;
/** The head of a table, until the line below it tells. */
const TABLE_HEAD = /(?:^|\n[ \t]*\n)[ \t]*(?=\|)[^\n]*(?:\n[ \t]*\|?[ \t:|-]*)?$/;
const MOST_HELD = 400;

/** The length of the text without the end that is held back. */
export function decidedLength(text: string): number {
  const tail = text.slice(-MOST_HELD);
  const from = text.length - tail.length;
  for (const pattern of [TABLE_HEAD, DEFINITION, UNDECIDED_LINE, UNDECIDED_END]) {
    const found = pattern.exec(tail);
    if (found && (found.index > 0 || from === 0)) return from + found.index;
  }
  return text.length;
}

/** Close what is open at the end of the last paragraph. */
export function closeMarks(tokens: Token[], md: MarkdownIt, env: Env): void {
  const index = tokens.findLastIndex(({ type }) => type === "inline");
  const last = tokens[index];
  // A block without a text of its own may follow.
  if (!last || tokens.slice(index + 1).some(({ nesting }) => nesting >= 0)) return;
  last.content = withoutAddress(last.content);
  const text = last.content;
  const spans = codeSpans(text, 0, text.length);
  const after = spans.at(-1)?.end ?? 0;
  const [run] = backtickRuns(text, after, text.length).filter(({ start }) => text[start - 1] !== "\\");
  const code = run ? text.slice(run.start, run.end) : "";
  if (run && run.end === text.length) return;
  const marks = openMarks(run ? text.slice(0, run.start) : text, md, env);
  if (!code && !marks) return;
  last.content = text.trimEnd() + code + marks;
}

/** The address of a link is not shown before it is whole. */
function withoutAddress(text: string): string {
  const found = /!?\[((?:[^[\]\\\n]|\\.)*)\]\([^()\s]*$/.exec(text.slice(-MOST_HELD * 5));
  return found ? text.slice(0, -found[0].length) + (found[1] ?? "") : text;
}

/** The marks that would close the emphasis that is open. */
export function openMarks(text: string, md: MarkdownIt, env: Env): string {
  if (!MARKERS.test(text)) return "";
  const state = new md.inline.State(text, md, env, []);
  md.inline.tokenize(state);
  md.inline.ruler2.__rules__.find(({ name }) => name === "balance_pairs")?.fn(state);
  const open = state.delimiters.filter(({ open, end }) => open && end < 0);
  return open.reverse().map(({ marker }) => (marker === TILDE ? "~~" : String.fromCharCode(marker))).join("");
}
