// Rows as Markdown and as CSV.
import type { Cells } from "./cells";
import type { Column } from "./messages";
import { linesOf, type Total } from "./totals";

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

function raw(column: Column, row: number): string {
  const value = column.values[row] ?? null;
  if (value === null) return "";
  if (column.kind === "flag") return value ? "True" : "False";
  return column.kind === "text" ? (column.words[value] ?? "") : String(value);
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
