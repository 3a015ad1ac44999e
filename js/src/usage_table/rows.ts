// The rows and column headings. Only visible rows, and the active one, are in the page.
import type { Cells, Column } from "./columns";
import type { UsageTable } from "./table";
import { element } from "../widgets/html";
import { reveal, ROW_HEIGHT, windowOf } from "../widgets/row_window";

export class RowList {
  readonly root = element("div", "chatnb-usage-rows");
  private views = new Map<number, RowView>();
  private readonly spare: RowView[] = [];
  private scrollTop = 0;

  /** @param scroller - What scrolls; the list is in it.
      @param height - How many pixels of it rows can be seen in. */
  constructor(
    private readonly table: UsageTable,
    private readonly scroller: HTMLElement,
    private readonly height: () => number,
  ) {
    this.root.setAttribute("role", "rowgroup");
    scroller.addEventListener("scroll", this.scroll, { passive: true });
  }

  show(): void {
    this.root.style.height = `${this.table.rows.length * ROW_HEIGHT}px`;
    this.draw();
  }

  /** Make the row at a place the active one, see to it that it is visible, and focus it. */
  focus(place: number): void {
    const row = this.table.rows[place];
    if (row === undefined) return;
    this.table.active = row;
    reveal(this.scroller, place, this.height());
    this.scrollTop = this.scroller.scrollTop;
    this.table.changed();
    this.views.get(row)?.root.focus({ preventScroll: true });
  }

  /** The row that an event happened in, or -1. */
  rowAt(target: EventTarget | null): number {
    const root = target instanceof Element ? target.closest(".chatnb-usage-call") : null;
    for (const [row, view] of this.views) if (view.root === root) return row;
    return -1;
  }

  private readonly scroll = (): void => {
    this.scrollTop = this.scroller.scrollTop;
    this.draw();
  };

  private draw(): void {
    const { rows, active, cells, selection } = this.table;
    const places = windowOf(this.scrollTop, rows.length, rows.indexOf(active));
    const wanted = new Map(places.map((place) => [rows[place] as number, place]));
    for (const [row, view] of this.views) if (!wanted.has(row)) this.take(row, view);
    // In the order of the rows, which is that in which screen readers read; what is there stays.
    let next = this.root.firstChild;
    for (const [row, place] of wanted) {
      const view = this.viewOf(row);
      view.show(cells, row, place, row === active, selection.has(row));
      if (view.root === next) next = next.nextSibling;
      else this.root.insertBefore(view.root, next);
    }
  }

  private viewOf(row: number): RowView {
    const view = this.views.get(row) ?? this.spare.pop() ?? new RowView();
    this.views.set(row, view);
    return view;
  }

  private take(row: number, view: RowView): void {
    view.root.remove();
    this.views.delete(row);
    this.spare.push(view);
  }
}

export class RowView {
  readonly root = element("div", "chatnb-usage-row chatnb-usage-call");
  /** The number of the row that is shown. */
  row = -1;
  private cells: Cells | null = null;

  constructor() {
    this.root.setAttribute("role", "row");
  }

  show(cells: Cells, row: number, place: number, isActive: boolean, isSelected: boolean): void {
    this.root.style.top = `${place * ROW_HEIGHT}px`;
    this.root.tabIndex = isActive ? 0 : -1;
    this.root.setAttribute("aria-rowindex", String(place + 2));
    this.root.setAttribute("aria-selected", String(isSelected));
    if (this.row === row && this.cells === cells) return;
    if (this.cells !== cells) this.build(cells);
    this.row = row;
    cells.columns.forEach((column, at) => {
      const cell = this.root.children[at] as HTMLElement;
      const text = cells.text(column, row);
      cell.textContent = text;
      if (column.kind === "text") cell.title = text;
    });
    this.root.toggleAttribute("data-failed", cells.isFailed(row));
    this.root.toggleAttribute("data-cached", cells.isCached(row));
  }

  private build(cells: Cells): void {
    this.cells = cells;
    this.root.replaceChildren(
      ...cells.columns.map((column, at) => {
        const cell = element("div", "chatnb-usage-cell");
        cell.setAttribute("role", "gridcell");
        cell.setAttribute("aria-colindex", String(at + 1));
        cell.dataset.kind = column.kind;
        cell.dataset.column = column.name;
        return cell;
      }),
    );
  }
}

export class Header {
  readonly root = element("div", "chatnb-usage-row chatnb-usage-header");
  private columns: readonly Column[] = [];
  private buttons: HTMLButtonElement[] = [];
  /** The place of the heading that can be focused. */
  private active = 0;

  constructor(
    private readonly table: UsageTable,
    private readonly goDown: () => void,
  ) {
    this.root.setAttribute("role", "row");
    this.root.setAttribute("aria-rowindex", "1");
    this.root.addEventListener("keydown", this.press);
  }

  show(): void {
    const { columns } = this.table.cells;
    if (columns !== this.columns) this.build(columns);
    const { sorting } = this.table;
    columns.forEach((column, place) => {
      const isSorted = sorting?.column === column.name;
      const way = isSorted ? (sorting.descending ? "descending" : "ascending") : "none";
      this.root.children[place]?.setAttribute("aria-sort", way);
    });
    this.buttons.forEach((button, place) => (button.tabIndex = place === this.active ? 0 : -1));
  }

  focus(place = this.active): void {
    this.active = Math.max(0, Math.min(this.buttons.length - 1, place));
    this.show();
    this.buttons[this.active]?.focus();
  }

  private build(columns: readonly Column[]): void {
    this.columns = columns;
    this.active = 0;
    this.buttons = columns.map((column) => this.button(column));
    this.root.replaceChildren(
      ...columns.map((column, place) => {
        const cell = element("div", "chatnb-usage-cell chatnb-usage-heading");
        cell.setAttribute("role", "columnheader");
        cell.setAttribute("aria-colindex", String(place + 1));
        cell.dataset.kind = column.kind;
        cell.append(this.buttons[place] as HTMLButtonElement);
        return cell;
      }),
    );
  }

  private button(column: Column): HTMLButtonElement {
    const made = element("button", "chatnb-usage-sort");
    made.type = "button";
    made.textContent = column.title;
    made.title = `Sort by ${column.title.toLowerCase()}`;
    made.addEventListener("click", () => {
      this.active = this.columns.indexOf(column);
      this.table.sortBy(column.name);
    });
    return made;
  }

  private readonly press = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown") this.goDown();
    else if (step !== undefined) this.focus(this.active + step);
    else return;
    event.preventDefault();
  };
}
