// What several rows took together, as Python sums it up: unknown is never nothing.
import { count, counted } from "../view/format";
import type { Cells } from "./cells";
import type { Column } from "./messages";

/** What stands below a column, and what is to say of it. */
export interface Total {
  text: string;
  note: string;
}

/** A line below the rows. */
export interface Line {
  label: string;
  cells: Total[];
}

/** How many models have a line of their own. */
const MOST_MODELS = 20;
const NOTHING: Total = { text: "", note: "" };

/** The lines below some rows: one a model, where there are several, and one for all. */
export function linesOf(cells: Cells, rows: readonly number[], label: string): Line[] {
  const models = byModel(cells, rows);
  const lines = models.slice(0, MOST_MODELS).map(([model, some]) => lineOf(cells, some, model));
  const rest = models.slice(MOST_MODELS).flatMap(([, some]) => some);
  if (rest.length) lines.push(lineOf(cells, rest, `${count(models.length - MOST_MODELS)} more models`));
  const all = lineOf(cells, rows, label);
  return models.length > 1 ? [...lines, all] : [all];
}

export function lineOf(cells: Cells, rows: readonly number[], label: string): Line {
  const asked = rows.filter((row) => !cells.isCached(row));
  const failed = rows.filter((row) => cells.isFailed(row)).length;
  const told = [counted(rows.length, "call")];
  if (failed) told.push(`${count(failed)} failed`);
  if (asked.length < rows.length) told.push(`${count(rows.length - asked.length)} from cache`);
  const total = (column: Column): Total => totalOf(cells, column, asked);
  return { label: `${label} · ${told.join(", ")}`, cells: cells.columns.map(total) };
}

function totalOf(cells: Cells, column: Column, asked: readonly number[]): Total {
  if (column.kind === "text") return NOTHING;
  // Failures are quick, and say nothing of a model.
  const rows = column.kind === "seconds" ? asked.filter((row) => !cells.isFailed(row)) : asked;
  let [sum, known] = [0, 0];
  for (const row of rows) {
    const value = column.values[row] ?? null;
    if (value === null) continue;
    sum += value;
    known += 1;
  }
  const unknown = rows.length - known;
  if (column.kind === "seconds") return known ? { text: cells.write(column, sum / known), note: "avg" } : NOTHING;
  if (unknown && !known) return NOTHING;
  return { text: cells.write(column, sum), note: unknown ? `+${count(unknown)} unknown` : "" };
}

/** The rows of each model, by its name, after its provider's where two of them have models of that
    name; in the order in which the models come first. */
function byModel(cells: Cells, rows: readonly number[]): [string, number[]][] {
  const named = (name: string): Column | undefined =>
    cells.calls.columns.find((column) => column.name === name);
  const [model, provider] = [named("model"), named("provider")];
  const word = (column: Column | undefined, row: number): string => (column ? cells.text(column, row) : "");
  const groups = new Map<string, number[]>();
  const makers = new Map<string, Set<string>>();
  for (const row of [...rows].sort((one, other) => one - other)) {
    const key = `${word(provider, row)}\n${word(model, row)}`;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
    const made = makers.get(word(model, row)) ?? new Set();
    makers.set(word(model, row), made.add(word(provider, row)));
  }
  return [...groups].map(([key, some]) => {
    const [maker = "", name = ""] = key.split("\n");
    const label = (makers.get(name)?.size ?? 0) > 1 ? `${maker}:${name}` : name;
    return [label || "unknown model", some];
  });
}
