// The rows of the tree. Only visible rows, and the active one, are in the page.
import { barOf } from "./axis";
import { type Row, titleOf } from "./outline";
import type { Run, Status } from "./run";
import { icon } from "./toolbar";
import type { Moment, RunTree } from "./tree";
import { count, counted, duration, price } from "../widgets/formatting";
import { element, setText } from "../widgets/html";
import { MOST_VISIBLE, reveal, ROW_HEIGHT, windowOf } from "../widgets/row_window";

export class RowList {
  readonly root = element("div", "chatnb-run-rows");
  private readonly views = new Map<Run, RowView>();
  private readonly spare: RowView[] = [];
  private rows: Row[] = [];
  /** The number of rows at the end of the log. */
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

  /** The index of a run's row, or -1. */
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

const DEEPEST_INDENT = 16;

export class RowView {
  readonly root = element("div", "chatnb-run");
  private run: Run | null = null;
  private status: Status | null = null;
  private readonly written = new Map<string, string>();
  private readonly branch = element("span", "chatnb-run-branch");
  private readonly name = element("span", "chatnb-run-name");
  private readonly kind = element("span", "chatnb-run-kind");
  private readonly bar = new BarView();
  private readonly time = element("span", "chatnb-run-number");
  private readonly tokens = element("span", "chatnb-run-number chatnb-run-tokens");
  private readonly cost = element("span", "chatnb-run-number chatnb-run-cost");
  private readonly state = element("span", "chatnb-run-state");

  constructor() {
    const twisty = element("span", "chatnb-run-twisty");
    const title = element("span", "chatnb-run-title");
    twisty.append(icon("twisty"));
    title.append(twisty, this.state, this.branch, this.name);
    this.root.setAttribute("role", "treeitem");
    this.root.append(title, this.kind, this.bar.root, this.time, this.tokens, this.cost);
  }

  /** Show a row; only what differs from what is there is written. */
  show(row: Row, index: number, moment: Moment, isActive: boolean, isOpened: boolean): void {
    this.run = row.run;
    this.place(row, index, isActive, isOpened);
    this.showRun(row, moment);
    this.bar.show(row.run, moment);
  }

  /** The run that is shown. */
  get shown(): Run | null {
    return this.run;
  }

  private place(row: Row, index: number, isActive: boolean, isOpened: boolean): void {
    const indent = Math.min(row.level - 1, DEEPEST_INDENT);
    this.write("style", `top:${index * ROW_HEIGHT}px;--chatnb-indent:${indent}`);
    this.write("aria-level", String(row.level));
    this.write("aria-posinset", String(row.place));
    this.write("aria-setsize", String(row.size));
    this.write("aria-expanded", row.opens === "no" ? "" : String(row.opens === "open"));
    this.write("aria-selected", String(isOpened));
    this.write("tabindex", isActive ? "0" : "-1");
    this.write("data-hit", String(row.hit));
  }

  private showRun({ run, branch }: Row, moment: Moment): void {
    const status = run.statusAt(moment.at);
    const usage = run.usageAt(moment.at);
    const cost = run.costAt(moment.at);
    const time = duration((run.endAt(moment.at) ?? moment.now) - run.about.start);
    this.turn(status);
    const title = titleOf(run.about.name, branch);
    setText(this.branch, branch);
    this.branch.hidden = !branch;
    setText(this.name, run.about.name);
    setText(this.kind, run.about.kind);
    setText(this.time, time);
    setText(this.tokens, usage ? count(usage.total) : "");
    setText(this.cost, cost === null ? "" : price(cost));
    this.write("title", title);
    const facts = [title, run.about.kind, status];
    // A running clock in the name would be read out ten times a second.
    if (status !== "running") facts.push(time);
    if (usage) facts.push(counted(usage.total, "token"));
    if (cost !== null) facts.push(price(cost));
    this.write("aria-label", facts.filter(Boolean).join(", "));
  }

  private turn(status: Status): void {
    if (status === this.status) return;
    this.status = status;
    this.root.dataset.status = status;
    this.state.replaceChildren(icon(status));
  }

  private write(attribute: string, value: string): void {
    if (this.written.get(attribute) === value) return;
    this.written.set(attribute, value);
    if (value) this.root.setAttribute(attribute, value);
    else this.root.removeAttribute(attribute);
  }
}

/** A run's time on the axis, with a mark where its first token came. */
class BarView {
  readonly root = element("span", "chatnb-run-lane");
  private readonly bar = element("span", "chatnb-run-bar");
  private readonly wait = element("span", "chatnb-run-wait");
  private drawn = "";

  constructor() {
    this.root.setAttribute("aria-hidden", "true");
    this.bar.append(this.wait);
    this.root.append(this.bar);
  }

  show(run: Run, moment: Moment): void {
    const { left, width, wait } = barOf(run, moment.at, moment.now, moment.axis);
    const waits = run.about.kind === "llm" && run.statusAt(moment.at) === "running" ? 1 : 0;
    const drawn = `left:${percent(left)};width:${percent(width)};--chatnb-wait:${percent(wait ?? waits)}`;
    const kind = run.about.kind === "llm" ? "model" : "other";
    if (this.drawn === drawn + kind) return;
    this.drawn = drawn + kind;
    this.bar.setAttribute("style", drawn);
    this.bar.dataset.kind = kind;
    this.bar.toggleAttribute("data-token", wait !== null);
  }
}

function percent(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}
