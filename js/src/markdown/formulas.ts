// Formulas in Markdown, found by the rule of chatnb/markdown/delimiters.py: the cases of
// tests/markdown/formulas.json hold for both.
import { ENVIRONMENTS } from "../generated/tex_commands";

/** A half-open range of a text. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Formula extends Range {
  /** The TeX: between the delimiters, or the whole environment. */
  readonly tex: string;
  readonly isDisplay: boolean;
  /** Whether its closing delimiter is there. */
  readonly isClosed: boolean;
}

const MARK = new RegExp(
  `\\n[ \\t>]*\\n|\\\\{1,2}[()[\\]]|\\\\(?:begin|end)\\{(?:${ENVIRONMENTS})\\*?\\}|\\\\[^]|\\$+`, "g",
);
const CLOSERS: Readonly<Record<string, string>> = {
  $: "$", $$: "$$", "\\(": "\\)", "\\[": "\\]", "\\\\(": "\\\\)", "\\\\[": "\\\\]",
};
const OUTER_SPACE = /^\s|\s$/;
const SIGN = /[\\^_=<>+*/|×÷·±≤≥≠≈→-]/u;
const CERTAIN_SIGN = /[\\^_=]/;
const HIDDEN = /\\[A-Za-z]+|\{[^{}]*\}/g;
const WORD = /[A-Za-z]{3,}|\b(?:an|as|at|by|if|in|is|it|no|of|on|or|so|to|up|vs|we)\b/g;
const SUFFIX = /(?:ary|d|es|fold|nd|rd|s|st|th)\b/y;
/** So much without a closing delimiter is no formula that is still being written. */
const LONGEST_PENDING = 2000;

interface Mark extends Range {
  readonly text: string;
}

/** Find the formulas outside of `code`; where the text `goesOn`, the last may lack its end. */
export function findFormulas(text: string, code: readonly Range[], goesOn: boolean): Formula[] {
  const formulas: Formula[] = [];
  let start = 0;
  for (const { start: end, end: next } of [...code, { start: text.length, end: text.length + 1 }]) {
    if (end < start) continue;
    let paragraph: Mark[] = [];
    for (const mark of marksBetween(text, start, end)) {
      if (mark.text[0] !== "\n") paragraph.push(mark);
      else formulas.push(...pair(text, paragraph.splice(0)));
    }
    formulas.push(...pair(text, paragraph));
    const last = formulas.at(-1)?.end ?? 0;
    if (goesOn && next > text.length) formulas.push(...pending(text, paragraph.filter((mark) => mark.start >= last)));
    start = next;
  }
  return formulas;
}

function* marksBetween(text: string, start: number, end: number): Generator<Mark> {
  for (const found of text.slice(start, end).matchAll(MARK)) {
    yield { text: found[0], start: start + found.index, end: start + found.index + found[0].length };
  }
}

function* pair(text: string, marks: readonly Mark[]): Generator<Formula> {
  const closing = closingMarks(marks);
  for (let index = 0; index < marks.length; index += 1) {
    const last = closing[index];
    const [opener, closer] = [marks[index] as Mark, marks[last ?? -1]];
    if (last === undefined || !closer || !isFormula(text, opener, closer)) continue;
    yield between(text, opener, closer);
    index = last;
  }
}

/** For each mark the index of the next one that closes it. */
function closingMarks(marks: readonly Mark[]): (number | undefined)[] {
  const next = new Map<string, number>();
  const closing: (number | undefined)[] = [];
  for (let index = marks.length - 1; index >= 0; index -= 1) {
    const { text } = marks[index] as Mark;
    closing[index] = next.get(closerOf(text) ?? "");
    next.set(text, index);
  }
  return closing;
}

function closerOf(opener: string): string | undefined {
  return opener.startsWith("\\begin") ? opener.replace("begin", "end") : CLOSERS[opener];
}

function isFormula(text: string, opener: Mark, closer: Mark): boolean {
  const tex = text.slice(opener.end, closer.start);
  if (!tex.trim()) return false;
  if (opener.text === "$") return isInline(text, opener, closer, tex);
  if (opener.text.startsWith("\\begin")) return true;
  return !(isProse(tex) || (opener.text.endsWith("[") && isPlain(tex)));
}

/** A dollar before a digit is money, unless the pair is clearly mathematics. */
function isInline(text: string, opener: Mark, closer: Mark, tex: string): boolean {
  if (/[\p{L}\p{N}]/u.test(text.charAt(opener.start - 1))) return false;
  const after = text.charAt(closer.end);
  SUFFIX.lastIndex = closer.end;
  if (/\p{N}/u.test(after) || (/\p{L}/u.test(after) && !SUFFIX.test(text))) return false;
  const inner = tex.trim();
  if (inner === tex && !/^\d/.test(tex)) return !isProse(tex);
  if (inner !== tex && !(/^\s/.test(tex) && /\s$/.test(tex))) return false;
  return countWords(inner) === 0 && (!/\s/.test(inner) || SIGN.test(inner));
}

function isProse(tex: string): boolean {
  return countWords(tex) > 1 && !CERTAIN_SIGN.test(tex);
}

/** Whether only numbers or words stand in brackets, as in a reference. */
function isPlain(tex: string): boolean {
  return !SIGN.test(tex) && (countWords(tex) > 0 || !/[A-Za-z]/.test(tex));
}

function countWords(tex: string): number {
  return tex.replace(HIDDEN, " ").match(WORD)?.length ?? 0;
}

function between(text: string, opener: Mark, closer: Mark): Formula {
  const isEnvironment = opener.text.startsWith("\\begin");
  const [start, end] = isEnvironment ? [opener.start, closer.end] : [opener.end, closer.start];
  return {
    start: opener.start,
    end: closer.end,
    tex: text.slice(start, end),
    isDisplay: isDisplay(opener),
    isClosed: true,
  };
}

function isDisplay({ text }: Mark): boolean {
  return text === "$$" || text.endsWith("[") || text.startsWith("\\begin");
}

/** The formula that the text ends in, if its closing delimiter may yet come. */
function pending(text: string, marks: readonly Mark[]): Formula[] {
  for (const opener of marks) {
    const tex = text.slice(opener.end);
    const closer = closerOf(opener.text);
    if (!closer || tex.length > LONGEST_PENDING || isProse(tex)) continue;
    if (opener.text === "$") {
      const isOpening = /^[^\s\d"'.,;:!?)]/.test(tex) && !/[\p{L}\p{N}]/u.test(text.charAt(opener.start - 1));
      if (!isOpening || OUTER_SPACE.test(tex) || tex.includes("\n")) continue;
    }
    return [{ start: opener.start, end: text.length, tex, isDisplay: isDisplay(opener), isClosed: false }];
  }
  return [];
}
