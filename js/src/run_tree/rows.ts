// The tree itself: of all rows only those that can be seen are in the page, and the active one.
import { element } from "../view/elements";
import { MOST_VISIBLE, reveal, ROW_HEIGHT, windowOf } from "../view/window";
import type { Moment } from "./moment";
import type { Row } from "./outline";
import { RowView } from "./row";
import type { Run } from "./run";
import type { RunTree } from "./run_tree";

export class RowList {
  readonly root = element("div", "chatnb-run-rows");
  private readonly views = new Map<Run, RowView>();
  private readonly spare: RowView[] = [];
  private rows: Row[] = [];
  /** How many rows there are at the end of the log. */
  private rowsAtEnd = 0;
  private places = new Map<Run, number>();
  private moment: Moment | null = null;

  /** @param scroller - What scrolls; the list is in it. */
  constructor(
    private readonly tree: RunTree,
    private readonly scroller: HTMLElement,
  ) {
    this.root.setAttribute("role", "tree");
    scroller.style.setProperty("--chatnb-row", `${ROW_HEIGHT}px`);
    scroller.style.setProperty("--chatnb-most-rows", String(MOST_VISIBLE));
    scroller.addEventListener("scroll", this.draw, { passive: true });
  }

  /** The rows that can be gone through, visible or not. */
  get all(): readonly Row[] {
    return this.rows;
  }

  /** Where a run is among the rows, or -1. */
  placeOf(run: Run | null): number {
    return (run && this.places.get(run)) ?? -1;
  }

  show(rows: Row[], moment: Moment): void {
    if (rows !== this.rows) this.replace(rows);
    this.moment = moment;
    this.draw();
  }

  /** Make a row the active one, see to it that it is visible, and focus it. */
  focus(index: number): void {
    const row = this.rows[index];
    if (!row) return;
    this.tree.active = row.run;
    reveal(this.scroller, index, Math.min(MOST_VISIBLE, this.rows.length) * ROW_HEIGHT);
    this.draw();
    this.views.get(row.run)?.root.focus({ preventScroll: true });
    this.tree.changed();
  }

  /** The row that an event happened in. */
  rowAt(target: EventTarget | null): Row | undefined {
    const root = target instanceof Element ? target.closest(".chatnb-run") : null;
    for (const view of this.views.values()) {
      if (view.root === root && view.shown) return this.rows[this.placeOf(view.shown)];
    }
    return undefined;
  }

  /** Rows above the first visible one may come and go: it stays where it is. */
  private replace(rows: Row[]): void {
    const { scrollTop } = this.scroller;
    const height = this.rows.length * ROW_HEIGHT;
    const top = Math.floor(scrollTop / ROW_HEIGHT);
    const anchor = this.rows[top]?.run;
    const atBottom = scrollTop > 0 && scrollTop >= height - MOST_VISIBLE * ROW_HEIGHT - 1;
    this.rows = rows;
    this.places = new Map(rows.map((row, place) => [row.run, place]));
    if (this.placeOf(this.tree.active) < 0) this.tree.active = rows[0]?.run ?? null;
    this.fit();
    if (scrollTop === 0) return;
    const moved = anchor ? this.placeOf(anchor) - top : 0;
    if (atBottom) this.scroller.scrollTop = rows.length * ROW_HEIGHT;
    else if (moved && anchor && this.placeOf(anchor) >= 0) this.scroller.scrollTop += moved * ROW_HEIGHT;
  }

  /** While one rewinds the list stays as high as it is, or the slider would move away. */
  private fit(): void {
    if (!this.tree.isRewound) this.rowsAtEnd = this.rows.length;
    const kept = this.tree.isRewound ? Math.min(this.rowsAtEnd, MOST_VISIBLE) : 0;
    const height = `${Math.max(this.rows.length, kept) * ROW_HEIGHT}px`;
    if (this.root.style.height !== height) this.root.style.height = height;
  }

  private readonly draw = (): void => {
    if (!this.moment) return;
    const wanted = this.visible();
    for (const [run, view] of this.views) if (!wanted.has(run)) this.take(run, view);
    // In the order of the tree, which is that in which screen readers read; what is there stays.
    let next = this.root.firstChild;
    for (const [run, index] of wanted) {
      const view = this.viewOf(run);
      view.show(
        this.rows[index] as Row,
        index,
        this.moment,
        run === this.tree.active,
        run === this.tree.opened,
      );
      if (view.root === next) next = next.nextSibling;
      else this.root.insertBefore(view.root, next);
    }
  };

  private visible(): Map<Run, number> {
    const indexes = windowOf(this.scroller.scrollTop, this.rows.length, this.placeOf(this.tree.active));
    return new Map(indexes.map((index) => [(this.rows[index] as Row).run, index]));
  }

  private viewOf(run: Run): RowView {
    const view = this.views.get(run) ?? this.spare.pop() ?? new RowView();
    this.views.set(run, view);
    return view;
  }

  private take(run: Run, view: RowView): void {
    view.root.remove();
    this.views.delete(run);
    this.spare.push(view);
  }
}
