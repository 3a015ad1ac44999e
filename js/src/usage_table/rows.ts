// The rows: of all of them only those that can be seen are in the page, and the active one.
import { element } from "../view/elements";
import { reveal, ROW_HEIGHT, windowOf } from "../view/window";
import { RowView } from "./row";
import type { UsageTable } from "./usage_table";

export class RowList {
  readonly root = element("div", "chatnb-usage-rows");
  private views = new Map<number, RowView>();
  private readonly spare: RowView[] = [];

  /** @param scroller - What scrolls; the list is in it.
      @param height - How many pixels of it rows can be seen in. */
  constructor(
    private readonly table: UsageTable,
    private readonly scroller: HTMLElement,
    private readonly height: () => number,
  ) {
    this.root.setAttribute("role", "rowgroup");
    scroller.addEventListener("scroll", this.draw, { passive: true });
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
    this.table.changed();
    this.views.get(row)?.root.focus({ preventScroll: true });
  }

  /** The row that an event happened in, or -1. */
  rowAt(target: EventTarget | null): number {
    const root = target instanceof Element ? target.closest(".chatnb-usage-call") : null;
    for (const [row, view] of this.views) if (view.root === root) return row;
    return -1;
  }

  private readonly draw = (): void => {
    const { rows, active, cells, selection } = this.table;
    const places = windowOf(this.scroller.scrollTop, rows.length, rows.indexOf(active));
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
  };

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
