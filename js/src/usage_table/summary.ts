// The totals below the rows. Unknown values are counted, never taken for zero.
import type { Cells, Column } from "./columns";
import type { UsageTable } from "./table";
import { count, counted } from "../widgets/formatting";
import { element } from "../widgets/html";

/** More models than these scroll by themselves. */
const MOST_UNSCROLLED = 6;

export class Summary {
  readonly root = element("div", "chatnb-usage-summary");
  private readonly models = element("div", "chatnb-usage-models");
  private readonly sums = element("div", "chatnb-usage-sums");
  private rows: readonly number[] | null = null;
  private lines: Line[] = [];

  constructor(private readonly table: UsageTable) {
    this.models.setAttribute("role", "rowgroup");
    this.sums.setAttribute("role", "rowgroup");
    this.root.append(this.models, this.sums);
  }

  /** The number of lines. */
  get length(): number {
    return this.models.children.length + this.sums.children.length;
  }

  show(): void {
    const { rows, cells, selected, length } = this.table;
    if (rows !== this.rows) {
      this.rows = rows;
      const label = rows.length < length ? "Total of what was found" : "Total";
      // Of one row there is nothing to sum up.
      this.lines = rows.length > 1 ? linesOf(cells, rows, label) : [];
    }
    const chosen = selected.length ? [lineOf(cells, selected, "Selected")] : [];
    const lines = [...this.lines, ...chosen].map((line, place) => this.row(cells, line, place));
    const first = Math.max(0, this.lines.length - 1);
    this.models.replaceChildren(...lines.slice(0, first));
    this.models.toggleAttribute("data-many", first > MOST_UNSCROLLED);
    this.sums.replaceChildren(...lines.slice(first));
    if (chosen.length) this.sums.lastElementChild?.setAttribute("data-selected", "");
    this.root.hidden = lines.length === 0;
  }

  private row(cells: Cells, line: Line, place: number): HTMLElement {
    const row = element("div", "chatnb-usage-row chatnb-usage-total");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", String(this.table.rows.length + 2 + place));
    // A label has the room of all text before the first number.
    const numbers = cells.columns.findIndex((column) => column.kind !== "text");
    const span = numbers < 0 ? cells.columns.length : numbers;
    row.append(label(line.label, span));
    line.cells.slice(span).forEach(({ text, note }, at) => {
      const cell = element("div", "chatnb-usage-cell");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", String(span + at + 1));
      cell.dataset.kind = cells.columns[span + at]?.kind;
      // The number of unknown values stands below a sum, "avg" before a mean.
      const parts = note === "avg" ? [quiet(note), " ", text] : [text, " ", quiet(note)];
      cell.append(...(note ? parts : [text]));
      row.append(cell);
    });
    return row;
  }
}

function label(text: string, span: number): HTMLElement {
  const cell = element("div", "chatnb-usage-cell chatnb-usage-label");
  cell.setAttribute("role", "rowheader");
  cell.setAttribute("aria-colindex", "1");
  cell.setAttribute("aria-colspan", String(span));
  cell.style.gridColumn = `span ${span}`;
  cell.title = text;
  cell.append(text);
  return cell;
}

function quiet(text: string): HTMLElement {
  const made = element("span", "chatnb-usage-note", text);
  if (text !== "avg") made.dataset.below = "";
  return made;
}

/** The total of a column, and a note. */
export interface Total {
  text: string;
  note: string;
}

/** A line below the rows. */
export interface Line {
  label: string;
  cells: Total[];
}

/** The most models with a line of their own. */
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
  const word = (column: Column | undefined, row = 0): string => (column ? cells.text(column, row) : "");
  // By the numbers of their words: texts of ten thousand rows would take longer.
  const groups = new Map<number, number[]>();
  for (const row of [...rows].sort((one, other) => one - other)) {
    const [maker, name] = [provider?.values[row] ?? -1, model?.values[row] ?? -1];
    const key = (maker + 1) * (1 + (model?.words.length ?? 0)) + name + 1;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  const found = [...groups.values()].map((some) => ({ some, name: word(model, some[0]), maker: word(provider, some[0]) }));
  return found.map(({ some, name, maker }) => {
    const isAmbiguous = found.some((other) => other.name === name && other.maker !== maker);
    return [(isAmbiguous ? `${maker}:${name}` : name) || "unknown model", some];
  });
}
