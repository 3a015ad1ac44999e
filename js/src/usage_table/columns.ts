// The columns of a usage table: reading them, the text of a cell and column widths.
import type { AnyModel } from "@anywidget/types";
import { type Kind, KINDS, type UsageTableViewTraits } from "../generated/usage_table";
import { isRecord, readNumber, readString } from "../widgets/base";
import { count, duration, price, priceDigits } from "../widgets/formatting";

/** The text in place of the cost of a cached reply. */
const CACHED = "cached";
/** The largest width of a text column, in digits: where room is scarce, and where there is more. */
const WIDEST_TEXT = 19;
const WIDEST_TEXT_WITH_ROOM = 32;
/** The smallest width of a column, in digits. */
const NARROWEST = 5;

export class Cells {
  /** The columns that are shown, from left to right. */
  readonly columns: Column[];
  private readonly cached: Column | undefined;
  private readonly errors: Column | undefined;
  private readonly digits: number;
  private readonly widths = new Map<Column, number>();

  constructor(readonly calls: Calls) {
    const named = (name: string): Column | undefined => calls.columns.find((column) => column.name === name);
    this.cached = named("from_cache");
    this.errors = named("error");
    this.digits = priceDigits(named("cost_usd")?.values ?? []);
    const titled = calls.columns.filter((column) => column.title);
    this.columns = titled.map((column) =>
      column.name === "finish_reason" && this.errors ? joined(this.errors, column) : column,
    );
  }

  isCached(row: number): boolean {
    return this.cached?.values[row] === 1;
  }

  isFailed(row: number): boolean {
    return (this.errors?.values[row] ?? null) !== null;
  }

  /** The text of a cell; none where the value is not known. */
  text(column: Column, row: number): string {
    if (column.kind === "dollars" && this.isCached(row)) return CACHED;
    return this.write(column, column.values[row] ?? null);
  }

  /** The text of a value that could stand in a column. */
  write(column: Column, value: number | null): string {
    if (value === null) return "";
    if (column.kind === "text") return column.words[value] ?? "";
    if (column.kind === "dollars") return price(value, this.digits);
    return column.kind === "seconds" ? duration(value * 1000) : count(value);
  }

  /** The width of a column in digits, for its values, its sum and its title. */
  width(column: Column): number {
    const known = this.widths.get(column);
    if (known !== undefined) return known;
    // Titles are in smaller letters, and have room for an arrow.
    const title = column.title.length * 0.85 + 1.5;
    const width = Math.max(NARROWEST, title, this.widest(column));
    this.widths.set(column, width);
    return width;
  }

  /** The width that a column takes where the page has room for it. */
  roomyWidth(column: Column): number {
    const text = column.kind === "text" ? Math.min(WIDEST_TEXT_WITH_ROOM, longest(column.words)) : 0;
    return Math.max(this.width(column), text);
  }

  private widest(column: Column): number {
    if (column.kind === "text") return Math.min(WIDEST_TEXT, longest(column.words));
    if (column.kind === "seconds") return "avg 999 ms".length - 0.5;
    let [sum, unknown] = [0, 0];
    for (const value of column.values) {
      sum += value ?? 0;
      unknown += Number(value === null);
    }
    const note = unknown ? `+${count(unknown)} unknown`.length * 0.92 : 0;
    // Sums are bold, which is wider.
    return Math.max(this.write(column, sum).length * 1.12, note);
  }
}

/** A column of errors, and where there is none of what another one has. */
function joined(first: Column, second: Column): Column {
  const shift = first.words.length;
  const values = second.values.map((value, row) => first.values[row] ?? (value === null ? null : value + shift));
  return { ...second, values, words: [...first.words, ...second.words] };
}

function longest(words: readonly string[]): number {
  return words.reduce((most, word) => Math.max(most, word.length), 0);
}

export type UsageModel = AnyModel<UsageTableViewTraits>;

/** A column: a value a row, null where it is not known. Of texts they are numbers of `words`, of
    flags 0 or 1. Without a title it is in CSV only. */
export interface Column {
  name: string;
  title: string;
  kind: Kind;
  values: (number | null)[];
  words: string[];
}

export interface Calls {
  length: number;
  /** The source of the prices. */
  note: string;
  columns: Column[];
}

/** The value of the table trait; what this view does not know of it is left out. */
export function readCalls(value: unknown): Calls {
  const told = isRecord(value) ? value : {};
  const length = Math.max(0, Math.floor(readNumber(told.length) ?? 0));
  const columns = Array.isArray(told.columns) ? told.columns.filter(isRecord) : [];
  return {
    length,
    note: readString(told.note),
    columns: columns.flatMap((column) => readColumn(column, length)),
  };
}

function readColumn(told: Record<string, unknown>, length: number): Column[] {
  const kind = KINDS.find((known) => known === told.kind);
  if (!kind || !Array.isArray(told.values)) return [];
  const words = Array.isArray(told.words) ? told.words.map(readString) : [];
  const values = kind === "flag" ? flags(told.values, length) : numbers(told.values, length);
  return [{ name: readString(told.name), title: readString(told.title), kind, values, words }];
}

function numbers(told: readonly unknown[], length: number): (number | null)[] {
  const values: (number | null)[] = [];
  for (let row = 0; row < length; row += 1) values.push(readNumber(told[row]));
  return values;
}

/** Flags come as the indexes of the rows that have them. */
function flags(told: readonly unknown[], length: number): number[] {
  const values = new Array<number>(length).fill(0);
  for (const row of told) if (typeof row === "number" && row in values) values[row] = 1;
  return values;
}
