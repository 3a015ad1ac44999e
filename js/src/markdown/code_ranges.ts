// The ranges of a text that are code: blocks and spans. What stands in them is no formula.
import type { Token } from "markdown-it";
import type { Range } from "./formulas";

/** Find code blocks and spans from the tokens of blocks. */
export function codeRanges(text: string, tokens: readonly Token[]): Range[] {
  const lines = lineStarts(text);
  const at = (line: number): number => lines[line] ?? text.length;
  const ranges: Range[] = [];
  let read = 0;
  for (const { type, map } of tokens) {
    if (!map) continue;
    const [start, end] = [at(map[0]), at(map[1])];
    if (type === "fence" || type === "code_block") ranges.push({ start, end });
    // The cells of a row share their line.
    if (type === "inline" && start >= read) {
      ranges.push(...codeSpans(text, start, end));
      read = end;
    }
  }
  return ranges;
}

/** The index at which each line begins. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The code spans in a part of the text: the next run of as many backticks closes. */
export function codeSpans(text: string, start: number, end: number): Range[] {
  const runs = backtickRuns(text, start, end);
  const byLength = new Map<number, number[]>();
  for (const run of [...runs].reverse()) {
    const length = run.end - run.start;
    const same = byLength.get(length);
    if (same) same.push(run.start);
    else byLength.set(length, [run.start]);
  }
  const spans: Range[] = [];
  let after = start;
  for (const run of runs) {
    const opening = isEscaped(text, run.start) ? run.start + 1 : run.start;
    if (opening < after || opening === run.end) continue;
    const closers = byLength.get(run.end - opening) ?? [];
    while (closers.length && (closers.at(-1) as number) < run.end) closers.pop();
    const closer = closers.at(-1);
    if (closer === undefined) continue;
    after = closer + run.end - opening;
    spans.push({ start: opening, end: after });
  }
  return spans;
}

/** The runs of backticks in a part of the text. */
export function backtickRuns(text: string, start: number, end: number): Range[] {
  return [...text.slice(start, end).matchAll(/`+/g)].map(({ 0: run, index }) => ({
    start: start + index,
    end: start + index + run.length,
  }));
}

function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (first > 0 && text[first - 1] === "\\") first -= 1;
  return (index - first) % 2 === 1;
}
