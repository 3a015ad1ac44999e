// Which rows are shown, and in which order: a function of the columns, the filter and the sorting.
import type { Cells } from "./cells";
import type { Column } from "./messages";

export interface Sorting {
  column: string;
  descending: boolean;
}

/** The numbers of the rows that a filter leaves. Each word of it has to be somewhere in the text of
    the row, in whatever case. */
export class Filter {
  private texts: string[] | null = null;

  constructor(private readonly cells: Cells) {}

  rows(filter: string): number[] {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    const all = Array.from({ length: this.cells.calls.length }, (_, row) => row);
    if (!words.length) return all;
    this.texts ??= all.map((row) => textOf(this.cells, row));
    const texts = this.texts;
    return all.filter((row) => words.every((word) => texts[row]?.includes(word)));
  }
}

function textOf(cells: Cells, row: number): string {
  const texts = cells.columns.filter((column) => column.kind === "text");
  const cached = cells.isCached(row) ? "cached" : "";
  return [...texts.map((column) => cells.text(column, row)), cached].join("\n").toLowerCase();
}

/** The rows in order; what is not known comes last, from whichever end one begins. */
export function sorted(rows: readonly number[], column: Column | undefined, descending: boolean): number[] {
  if (!column) return [...rows];
  const keys = column.kind === "text" ? ranked(column) : column.values;
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [keys[one] ?? null, keys[other] ?? null];
    if (a === null || b === null) return Number(a === null) - Number(b === null) || one - other;
    return sign * (a - b) || one - other;
  });
}

/** The places that the words of a column have in the alphabet. */
function ranked(column: Column): (number | null)[] {
  const alphabet = new Intl.Collator("en", { numeric: true }).compare;
  const order = column.words.map((_, word) => word);
  order.sort((one, other) => alphabet(column.words[one] ?? "", column.words[other] ?? ""));
  const ranks: number[] = [];
  order.forEach((word, rank) => (ranks[word] = rank));
  return column.values.map((word) => (word === null ? null : (ranks[word] ?? null)));
}

/** What the next click on a heading asks for: numbers begin with the largest, a third click ends it. */
export function nextSorting(now: Sorting | null, column: Column): Sorting | null {
  const first = column.kind !== "text";
  if (now?.column !== column.name) return { column: column.name, descending: first };
  return now.descending === first ? { column: column.name, descending: !first } : null;
}
