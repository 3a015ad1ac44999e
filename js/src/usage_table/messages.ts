// What the kernel tells of a usage table, and the reading of it.
import type { AnyModel } from "@anywidget/types";
import { isRecord, readNumber, readString } from "../view/reading";

/** The traits, as Python declares them. */
export interface UsageTraits {
  table: unknown;
  /** The name of the places in the page where the table is shown. */
  place: string;
}

export type UsageModel = AnyModel<UsageTraits>;

const KINDS = ["text", "count", "dollars", "seconds", "flag"] as const;
export type Kind = (typeof KINDS)[number];

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
  /** Where the prices are from. */
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
  return Array.from({ length }, (_, row) => readNumber(told[row]));
}

/** Flags are told by the numbers of the rows that have them. */
function flags(told: readonly unknown[], length: number): number[] {
  const values = new Array<number>(length).fill(0);
  for (const row of told) if (typeof row === "number" && row in values) values[row] = 1;
  return values;
}
