// A usage table as one widget model knows it: filter, order and selection of its rows.
import { readList, readNumber } from "../widgets/base";
import { Cells, type Column, readCalls, type UsageModel } from "./columns";

export class UsageTable {
  cells: Cells;
  /** The numbers of the rows that are shown, from top to bottom. */
  rows: number[] = [];
  readonly selection = new Selection();
  /** The row that can be focused. */
  active = 0;
  sorting: Sorting | null = null;
  filter = "";
  private finder: Filter;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly model: UsageModel) {
    this.cells = new Cells(readCalls(model.get("table")));
    this.finder = new Filter(this.cells);
    this.arrange();
    this.takeSelection();
    model.on("change:table", this.replace);
    model.on("change:selected", this.takeSelection);
  }

  get length(): number {
    return this.cells.calls.length;
  }

  /** The selected rows among those that are shown. */
  get selected(): number[] {
    return this.selection.among(this.rows);
  }

  sortBy(name: string): void {
    const column = this.cells.columns.find((each) => each.name === name);
    if (column) this.sorting = nextSorting(this.sorting, column);
    this.arrange();
    this.changed();
  }

  find(filter: string): void {
    this.filter = filter;
    this.arrange();
    this.changed();
  }

  /** Call `listener` at every change from now on; call the result to stop that. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  readonly changed = (): void => {
    this.sendSelection();
    for (const listener of this.listeners) listener();
  };

  dispose(): void {
    this.model.off("change:table", this.replace);
    this.model.off("change:selected", this.takeSelection);
    this.listeners.clear();
  }

  private readonly takeSelection = (): void => {
    this.selection.set(readList(this.model.get("selected"), readNumber));
    for (const listener of this.listeners) listener();
  };

  private sendSelection(): void {
    const [before, now] = [readList(this.model.get("selected"), readNumber), this.selection.sorted];
    if (before.length === now.length && before.every((row, index) => row === now[index])) return;
    this.model.set("selected", now);
    this.model.save_changes();
  }

  private arrange(): void {
    const { sorting } = this;
    const column = this.cells.columns.find((each) => each.name === sorting?.column);
    this.rows = sorted(this.finder.rows(this.filter), column, sorting?.descending ?? false);
    if (!this.rows.includes(this.active)) this.active = this.rows[0] ?? 0;
  }

  private readonly replace = (): void => {
    this.cells = new Cells(readCalls(this.model.get("table")));
    this.finder = new Filter(this.cells);
    this.selection.clear();
    this.arrange();
    this.changed();
  };
}

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
    const all = [...Array(this.cells.calls.length).keys()];
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

/** The sorting after the next click on a heading: numbers start with the largest, a third click
    removes it. */
export function nextSorting(now: Sorting | null, column: Column): Sorting | null {
  const first = column.kind !== "text";
  if (now?.column !== column.name) return { column: column.name, descending: first };
  return now.descending === first ? { column: column.name, descending: !first } : null;
}

export class Selection {
  private rows = new Set<number>();
  /** The row that a range begins with. */
  private anchor: number | null = null;

  get size(): number {
    return this.rows.size;
  }

  get sorted(): number[] {
    return [...this.rows].sort((one, other) => one - other);
  }

  set(rows: readonly number[]): void {
    this.rows = new Set(rows);
  }

  has(row: number): boolean {
    return this.rows.has(row);
  }

  /** The selected ones among some rows, in their order. */
  among(rows: readonly number[]): number[] {
    return this.size ? rows.filter((row) => this.rows.has(row)) : [];
  }

  /** Select a row alone, or nothing if it was that already. */
  only(row: number): void {
    this.rows = this.size === 1 && this.rows.has(row) ? new Set() : new Set([row]);
    this.anchor = row;
  }

  toggle(row: number): void {
    if (!this.rows.delete(row)) this.rows.add(row);
    this.anchor = row;
  }

  /** Select all from the anchor to a row, in the order that is shown. */
  extend(row: number, from: number, shown: readonly number[]): void {
    this.anchor ??= from;
    const places = [shown.indexOf(this.anchor), shown.indexOf(row)].sort((one, other) => one - other);
    const [first = 0, last = 0] = places;
    this.rows = new Set(first < 0 ? [row] : shown.slice(first, last + 1));
  }

  all(shown: readonly number[]): void {
    this.rows = new Set(shown);
  }

  clear(): void {
    this.rows.clear();
    this.anchor = null;
  }
}
