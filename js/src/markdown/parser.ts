// markdown-it, which decides how Markdown is read: with bare addresses, the tags that replies may
// use, and images as links. Formulas are hidden from it, as JupyterLab hides them.
import MarkdownIt, { type StateInline, type Token } from "markdown-it";
import { codeRanges } from "./code_ranges";
import { type Formula, findFormulas } from "./formulas";
import { safeHref, withoutEnd } from "./links";
import { closeMarks, openMarks } from "./unfinished";

/** Markdown that was read. */
export interface Parsed {
  readonly tokens: Token[];
  readonly formulas: readonly Formula[];
  /** Whether there are definitions of links, which may change what stands before them. */
  readonly hasDefinitions: boolean;
  /** The index in the text of a line of the tokens. */
  readonly indexOf: (line: number) => number;
}

// Elements nested deeper are flattened; so deep a text only wants to do harm.
const DEEPEST_BLOCKS = 500;
const TAG = /^<(\/?)(sub|sup|kbd|code|span|br) ?\/?>/;
const FORMULA_MARK = /[$]|\\[(\[]|\\begin/;
const RESERVED = /\uFDD0/g;

const parser = new MarkdownIt("default", { maxNesting: DEEPEST_BLOCKS });
parser.validateLink = (url) => safeHref(url) !== null;
parser.normalizeLink = parser.normalizeLinkText = (url) => url;
parser.inline.ruler.before("entity", "bare_tag", readBareTag);
parser.inline.ruler.before("link", "image_as_link", readImage);
parser.inline.ruler.before("newline", "bare_address", readAddress);
parser.inline.ruler.before("newline", "words", readWords);
parser.core.ruler.before("inline", "unfinished", ({ env, tokens, md }) => {
  if (env.goesOn) closeMarks(tokens, md, env);
});

/** The links that were defined. */
export type References = Record<string, { title: string; href: string }>;

/** Read a text; one that `goesOn` may end within a formula, a code span or emphasis. */
export function parse(source: string, goesOn: boolean, known: References): Parsed {
  const text = source.replace(RESERVED, "\uFFFD");
  const formulas = FORMULA_MARK.test(text) ? findFormulas(text, codeOf(text), goesOn) : [];
  const env = { goesOn, references: { ...known } };
  const hidden = new HiddenFormulas(text, formulas);
  const tokens = parser.parse(hidden.text, env);
  return {
    tokens,
    formulas,
    hasDefinitions: Object.keys(env.references).length > 0,
    indexOf: (line) => hidden.indexOf(line),
  };
}

/** Add the links that a text defines. */
export function readDefinitions(text: string, references: References): void {
  if (text.includes("]:")) parser.block.parse(text, parser, { references }, []);
}

/** Whether emphasis is open at the end of a text. */
export function endsOpen(text: string, references: References): boolean {
  return openMarks(text, parser, { references }) !== "";
}

function codeOf(text: string): ReturnType<typeof codeRanges> {
  if (!/[`~]|^(?: {4}|[ >\d.*+-]*\t| {0,3}[>*+\d-].* {4})/m.test(text)) return [];
  const tokens: Token[] = [];
  parser.block.parse(text, parser, {}, tokens);
  return codeRanges(text, tokens);
}

/** The place of a formula in the text of a token. */
export const FORMULA_PLACE = /@\uFDD0(\d+)\uFDD0@/g;

/** Hide formulas as JupyterLab does it, behind signs that count as punctuation. */
class HiddenFormulas {
  readonly text: string;
  private readonly ends: number[] = [];

  constructor(source: string, private readonly formulas: readonly Formula[]) {
    let [text, at] = ["", 0];
    formulas.forEach(({ start, end }, index) => {
      text += `${source.slice(at, start)}@\uFDD0${index}\uFDD0@`;
      this.ends.push(text.length);
      at = end;
    });
    this.text = text + source.slice(at);
  }

  /** The index in the source at which a line of the text begins. */
  indexOf(line: number): number {
    let start = 0;
    for (let count = 0; count < line && start < this.text.length; count += 1) {
      start = this.text.indexOf("\n", start) + 1 || this.text.length;
    }
    const before = this.ends.findLastIndex((end) => end <= start);
    return start - (this.ends[before] ?? 0) + (this.formulas[before]?.end ?? 0);
  }
}

/** `<sub>` and the like, which finished replies keep, too. */
function readBareTag(state: StateInline, silent: boolean): boolean {
  const found = TAG.exec(state.src.slice(state.pos, state.posMax < state.pos + 9 ? state.posMax : state.pos + 9));
  const name = found?.[2];
  if (!found || !name) return false;
  if (!silent) {
    if (name === "br") state.push("hardbreak", "br", 0);
    // Without nesting, as markdown-it's own rule has it: a closing tag alone would end what is around it.
    else state.push(found[1] ? "tag_close" : "tag_open", name, 0);
  }
  state.pos += found[0].length;
  return true;
}

const LINK_TARGET = /\][([]/;
const LONGEST_LABEL = 500;

/** An image is a link, for nothing is fetched: its mark is left out. Within a link it is text. */
function readImage(state: StateInline, silent: boolean): boolean {
  const { pos, tokens } = state;
  if (!state.src.startsWith("![", pos)) return false;
  const open = tokens.length + (state.pending ? 1 : 0);
  state.pos += 1;
  if (readLink(state, silent)) {
    if (silent) return true;
    if (tokens.at(-2)?.type === "link_open") nameEmptyLink(state);
    // A link in a link would end it; the tokens stay, as others are known by their indices.
    if (state.linkLevel > 0) for (const token of [tokens[open], tokens.at(-1)]) Object.assign(token ?? {}, { type: "text", nesting: 0 });
    return true;
  }
  // Its address is none to follow: the source shows, without the mark, as in finished replies.
  if (LINK_TARGET.test(state.src.slice(state.pos, state.pos + LONGEST_LABEL))) return true;
  state.pos = pos;
  return false;
}

function nameEmptyLink(state: StateInline): void {
  const close = state.tokens.pop() as Token;
  state.push("text", "", 0).content = "image";
  state.tokens.push(close);
}

type InlineRule = (state: StateInline, silent: boolean) => boolean;
const readLink = parser.inline.ruler.__rules__.find(({ name }) => name === "link")?.fn as InlineRule;

// As marked finds them in finished replies: an address of the web may begin within a word, and tags
// that are text there belong to it.
const WEB = String.raw`(?:[hH][tT][tT][pP][sS]?:\/\/|www\.)[a-zA-Z\d-]`;
const MAIL = String.raw`(?<![a-zA-Z\d.+-])[a-zA-Z\d.+-][\w.+-]{0,63}@[\w-]+(?:\.[\w-]*[a-zA-Z\d])+(?!-|_\w)`;
const ADDRESS = new RegExp(`${WEB}(?:(?!&[a-zA-Z\\d]+;(?:\\s|$))[^\\s<]|(?!${TAG.source.slice(1)})<(?=[a-zA-Z/!?]))*|${MAIL}`, "y");
const WORDS = new RegExp(String.raw`(?:(?!${WEB}|${MAIL})[^\n!&*<[\\\]_\`~])+`, "y");

/** Text up to what may mean something. */
function readWords(state: StateInline, silent: boolean): boolean {
  const text = matchAt(WORDS, state);
  if (!silent) state.pending += text;
  state.pos += text.length;
  return text !== "";
}

/** A bare address of the web or of mail; in what may be the label of a link, there is none. */
function readAddress(state: StateInline, silent: boolean): boolean {
  if (silent || state.linkLevel > 0) return false;
  const found = matchAt(ADDRESS, state);
  const url = withoutEnd(found);
  const href = safeHref(/^www/.test(url) ? `http://${url}` : /^http/i.test(url) ? url : `mailto:${url}`);
  if (!url || href === null) return false;
  state.push("link_open", "a", 1).attrs = [["href", href]];
  state.push("text", "", 0).content = url;
  state.push("link_close", "a", -1);
  state.pos += url.length;
  return true;
}

function matchAt(pattern: RegExp, { src, pos, posMax }: StateInline): string {
  pattern.lastIndex = pos;
  return (pattern.exec(src)?.[0] ?? "").slice(0, posMax - pos);
}
