// The widget of a usage table: toolbar, rows, totals and price note.
import type { Column, UsageModel } from "./columns";
import { actOf, isOurs } from "./keyboard";
import { Header, RowList } from "./rows";
import { Summary } from "./summary";
import { UsageTable } from "./table";
import { Toolbar } from "./toolbar";
import { defineWidget } from "../widgets/base";
import { element } from "../widgets/html";
import { keepKeys } from "../widgets/keyboard";
import { MOST_VISIBLE, ROW_HEIGHT } from "../widgets/row_window";

const GAP = 8;
const PADDING = 8;

/** Show `table` in `el`; the result removes it. */
function showUsageTable(table: UsageTable, el: HTMLElement): () => void {
  const view = new UsageTableView(table);
  el.append(view.root);
  view.show();
  return () => view.dispose();
}

class UsageTableView {
  readonly root = element("div", "chatnb-view chatnb-usage");
  private readonly grid = element("div", "chatnb-usage-grid");
  private readonly toolbar: Toolbar;
  private readonly header: Header;
  private readonly list: RowList;
  private readonly none = element("div", "chatnb-usage-none");
  private readonly summary: Summary;
  private readonly note = element("div", "chatnb-usage-prices");
  private readonly unlisten: () => void;
  // What has been laid out is measured: reading it while rows are made would lay them out each time.
  private readonly observer = new ResizeObserver(() => this.fit());
  private readonly freeKeys = keepKeys(this.root, isOurs);

  constructor(private readonly table: UsageTable) {
    this.toolbar = new Toolbar(table, () => this.goDown());
    this.header = new Header(table, () => this.goDown());
    this.summary = new Summary(table);
    this.list = new RowList(table, this.grid, () => this.height());
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", "Calls of chat models");
    this.grid.setAttribute("aria-multiselectable", "true");
    this.grid.append(this.header.root, this.list.root, this.none, this.summary.root);
    this.root.append(this.toolbar.root, this.grid, this.note);
    this.list.root.addEventListener("mousedown", this.keepText);
    this.list.root.addEventListener("click", this.click);
    this.list.root.addEventListener("keydown", this.press);
    this.list.root.addEventListener("focusin", (event) => this.activate(event.target));
    this.unlisten = table.listen(() => this.show());
    this.grid.addEventListener("scroll", this.hint, { passive: true });
    for (const part of [this.grid, this.list.root, this.summary.root]) this.observer.observe(part);
  }

  show(): void {
    const { cells, rows, filter } = this.table;
    this.measure();
    this.toolbar.show();
    this.header.show();
    this.summary.show();
    this.list.show();
    this.none.hidden = rows.length > 0;
    this.none.textContent = filter ? "No call has all of these words." : "No calls yet.";
    this.note.hidden = !cells.calls.note;
    this.note.textContent = cells.calls.note;
    this.grid.setAttribute("aria-rowcount", String(1 + rows.length + this.summary.length));
    this.grid.setAttribute("aria-colcount", String(cells.columns.length));
  }

  private fit(): void {
    this.grid.style.setProperty("--chatnb-summary", `${this.summary.root.offsetHeight}px`);
    this.hint();
  }

  /** Columns that are cut off fade out at the edge that they are behind. */
  private readonly hint = (): void => {
    const { scrollLeft, clientWidth, scrollWidth } = this.grid;
    this.grid.toggleAttribute("data-more", scrollWidth - clientWidth - scrollLeft > 1);
  };

  dispose(): void {
    this.observer.disconnect();
    this.unlisten();
    this.freeKeys();
    this.toolbar.dispose();
    this.root.remove();
  }

  /** Columns are as wide as what is in them; the first one has what is left. */
  private measure(): void {
    const { cells } = this.table;
    const [, ...others] = cells.columns;
    const indents = others.map((column, index) => indentOf(column, cells.columns[index]));
    const tracks = others.map((column, index) => {
      const [least, most] = [cells.width(column), cells.roomyWidth(column)].map(roundedUp);
      return `minmax(calc(${least}ch + ${indents[index]}px), calc(${most}ch + ${indents[index]}px))`;
    });
    const digits = sumOf(others.map((column) => roundedUp(cells.width(column))));
    const pixels = GAP * others.length + sumOf(indents) + 2 * PADDING;
    const { style } = this.grid;
    const put = (name: string, value: string): void => {
      if (style.getPropertyValue(name) !== value) style.setProperty(name, value);
    };
    put("--chatnb-columns", ["minmax(var(--chatnb-first), 1fr)", ...tracks].join(" "));
    put("--chatnb-width", `calc(var(--chatnb-first) + ${digits.toFixed(1)}ch + ${pixels}px)`);
    put("--chatnb-gap", `${GAP}px`);
    put("--chatnb-padding", `${PADDING}px`);
    put("--chatnb-row", `${ROW_HEIGHT}px`);
    put("--chatnb-most-rows", String(MOST_VISIBLE));
  }

  /** The height of the visible rows, between the headings and the totals. */
  private height(): number {
    return this.grid.clientHeight - ROW_HEIGHT - this.summary.root.offsetHeight;
  }

  private goDown(): void {
    this.list.focus(Math.max(0, this.table.rows.indexOf(this.table.active)));
  }

  /** Shift and a click select rows, not the text between them. */
  private readonly keepText = (event: MouseEvent): void => {
    if (event.shiftKey) event.preventDefault();
  };

  private readonly click = (event: MouseEvent): void => {
    const row = this.list.rowAt(event.target);
    if (row < 0 || hasMarkedText(this.root)) return;
    const { selection, rows, active } = this.table;
    if (event.shiftKey) selection.extend(row, active, rows);
    else if (event.ctrlKey || event.metaKey) selection.toggle(row);
    else selection.only(row);
    this.list.focus(rows.indexOf(row));
  };

  private readonly press = (event: KeyboardEvent): void => {
    const { rows, active, selection } = this.table;
    const act = actOf(event, rows.indexOf(active), rows.length);
    // Text that is marked is what the browser copies.
    if (!act || (act.kind === "copy" && hasMarkedText(this.root))) return;
    event.preventDefault();
    if (act.kind === "copy") return this.toolbar.copyRows(active);
    if (act.kind === "go") return this.list.focus(act.to);
    if (act.kind === "header") return this.header.focus();
    if (act.kind === "extend") {
      selection.extend(rows[act.to] as number, active, rows);
      return this.list.focus(act.to);
    }
    if (act.kind === "toggle") selection.toggle(active);
    if (act.kind === "all") selection.all(rows);
    if (act.kind === "clear") selection.clear();
    this.table.changed();
  };

  /** A screen reader may focus any row. */
  private activate(target: EventTarget | null): void {
    const row = this.list.rowAt(target);
    if (row < 0 || row === this.table.active) return;
    this.table.active = row;
    this.table.changed();
  }
}

/** Whether text in the table is selected, to be copied. */
function hasMarkedText(root: HTMLElement): boolean {
  const marked = document.getSelection();
  return marked !== null && !marked.isCollapsed && root.contains(marked.anchorNode);
}

export default defineWidget((model: UsageModel) => new UsageTable(model), showUsageTable);

/** The room before a text that begins where the number before it ends, as `usage_table.css` gives it. */
function indentOf(column: Column, before: Column | undefined): number {
  return column.kind === "text" && before?.kind !== "text" ? GAP : 0;
}

function roundedUp(width: number): number {
  return Math.ceil(width * 10) / 10;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
