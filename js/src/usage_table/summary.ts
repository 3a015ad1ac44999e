// The lines below the rows: what they took together, and what the selected ones did.
import { element } from "../view/elements";
import type { Cells } from "./cells";
import { type Line, lineOf, linesOf } from "./totals";
import type { UsageTable } from "./usage_table";

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

  /** How many lines there are. */
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
      // How much is not known stands below a sum, and that it is a mean before it.
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
  const made = element("span", "chatnb-usage-note");
  made.textContent = text;
  if (text !== "avg") made.dataset.below = "";
  return made;
}
