// The line above the table: counts, filter, and copying of rows as Markdown or CSV.
import type { Cells, Column } from "./columns";
import { linesOf, type Total } from "./summary";
import type { UsageTable } from "./table";
import { count, counted } from "../widgets/formatting";
import { copy, element, setText } from "../widgets/html";

/** The time for which a copy is confirmed. */
const SAID_MILLISECONDS = 3000;

export class Toolbar {
  readonly root = element("div", "chatnb-usage-toolbar");
  private readonly told = element("span", "chatnb-usage-told");
  private readonly search = element("input", "chatnb-usage-search");
  private said = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly table: UsageTable,
    goDown: () => void,
  ) {
    this.told.setAttribute("role", "status");
    Object.assign(this.search, { type: "search", placeholder: "Filter", value: table.filter });
    this.search.setAttribute("aria-label", "Filter calls by prompt, model and finish");
    this.search.addEventListener("input", () => table.find(this.search.value));
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      goDown();
    });
    this.root.append(
      this.told,
      this.search,
      this.button("Markdown", () => markdownOf(table.cells, this.asked())),
      this.button("CSV", () => csvOf(table.cells, this.asked())),
    );
  }

  show(): void {
    const { rows, length, selected, filter } = this.table;
    const found = rows.length < length ? `${count(rows.length)} of ${counted(length, "call")}` : counted(length, "call");
    const chosen = selected.length ? ` · ${count(selected.length)} selected` : "";
    const text = this.said || found + chosen;
    setText(this.told, text);
    if (this.search.value !== filter) this.search.value = filter;
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  /** The rows to copy: the selected ones, else all that are shown. */
  private asked(): number[] {
    const { selected, rows } = this.table;
    return selected.length ? selected : rows;
  }

  private button(format: string, write: () => string): HTMLButtonElement {
    const made = element("button", "chatnb-usage-button");
    made.type = "button";
    made.textContent = `Copy ${format}`;
    made.title = `Copy the selected calls, else all, as ${format}`;
    made.addEventListener("click", () => void this.copy(write(), this.asked().length, format));
    return made;
  }

  /** Copy the selected rows, else one, for a spreadsheet. */
  copyRows(active: number): void {
    const { selected, cells } = this.table;
    const rows = selected.length ? selected : [active];
    void this.copy(tsvOf(cells, rows), rows.length, "TSV");
  }

  private async copy(text: string, rows: number, format: string): Promise<void> {
    const copied = await copy(text);
    this.say(copied ? `Copied ${counted(rows, "call")} as ${format}` : "The browser did not let us copy");
  }

  private say(text: string): void {
    this.said = text;
    this.show();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.said = "";
      this.show();
    }, SAID_MILLISECONDS);
  }
}

const SIGN = /[\\`*_[\]>|~$!#]/g;

/** Rows as a table in Markdown, with what they took together below it. */
export function markdownOf(cells: Cells, rows: readonly number[]): string {
  const { columns } = cells;
  const below = rows.length > 1 ? linesOf(cells, rows, "Total") : [];
  const lines = [
    columns.map((column) => column.title),
    columns.map((column) => (column.kind === "text" ? "---" : "---:")),
    ...rows.map((row) => columns.map((column) => plain(cells.text(column, row)))),
    ...below.map((line) => [
      bold(line.label),
      ...line.cells.slice(1).map((total) => bold(wordsOf(total))),
    ]),
  ];
  return lines.map((line) => `| ${line.join(" | ")} |\n`).join("");
}

/** Rows as CSV below a line of names; what is not known is left empty. */
export function csvOf(cells: Cells, rows: readonly number[]): string {
  const { columns } = cells.calls;
  const lines = rows.map((row) => columns.map((column) => quoted(raw(column, row))));
  return [columns.map((column) => column.name), ...lines].map((line) => `${line.join(",")}\n`).join("");
}

/** The visible columns of rows below their titles, as spreadsheets paste them. */
function tsvOf({ columns }: Cells, rows: readonly number[]): string {
  const lines = rows.map((row) => columns.map((column) => raw(column, row).split(/\s+/).join(" ")));
  return [columns.map((column) => column.title), ...lines].map((line) => `${line.join("\t")}\n`).join("");
}

function raw(column: Column, row: number): string {
  const value = column.values[row] ?? null;
  if (value === null) return "";
  if (column.kind === "flag") return value ? "True" : "False";
  return column.kind === "text" ? plainCell(column.words[value] ?? "") : String(value);
}

/** A cell that spreadsheets show as it is, and do not run as a formula. */
function plainCell(text: string): string {
  return /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A sum, and how much more is not known; a mean says that it is one. */
function wordsOf({ text, note }: Total): string {
  if (note === "avg") return `${note} ${text}`;
  return [text, note.replace("+", "+ ")].filter(Boolean).join(" ");
}

/** A text as one line of Markdown that says just that. */
function plain(text: string): string {
  const entities = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return entities.replace(SIGN, "\\$&").split(/\s+/).join(" ");
}

function bold(text: string): string {
  return text && `**${plain(text)}**`;
}
