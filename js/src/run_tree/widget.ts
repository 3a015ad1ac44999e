// The widget of a run tree: toolbar, rows, details and slider, drawn once a frame at most.
import { clamp, Heading } from "./axis";
import { Details } from "./details";
import { type Act, actOf } from "./keyboard";
import { isFiltering, outline, type Row } from "./outline";
import { RowList } from "./rows";
import type { Run } from "./run";
import { Footer, Rewind, Toolbar } from "./toolbar";
import { type Moment, momentOf, RunTree } from "./tree";
import type { RunTreeModel } from "./updates";
import { defineWidget } from "../widgets/base";
import { element, setText } from "../widgets/html";
import { isPlain, keepKeys } from "../widgets/keyboard";

/** The interval at which running clocks and bars move. */
const TICK_MILLISECONDS = 100;

/** Show `tree` in `el`; the result removes it. */
function showRunTree(tree: RunTree, el: HTMLElement): () => void {
  const view = new RunTreeView(tree);
  el.append(view.root);
  return () => view.dispose();
}

class RunTreeView {
  readonly root = element("div", "chatnb-view chatnb-runs");
  private readonly scroller = element("div", "chatnb-run-scroller");
  private readonly toolbar: Toolbar;
  private readonly heading = new Heading();
  private readonly list: RowList;
  private readonly none = element("div", "chatnb-run-none");
  private readonly details = new Details(() => this.close());
  private readonly rewind: Rewind;
  private readonly footer: Footer;
  private readonly unlisten: () => void;
  private readonly freeKeys = keepKeys(this.root);
  private rows: Row[] = [];
  private outlined: readonly unknown[] = [];
  private frame = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly tree: RunTree) {
    this.toolbar = new Toolbar(tree);
    this.list = new RowList(tree, this.scroller);
    this.rewind = new Rewind(tree);
    this.footer = new Footer(tree);
    this.scroller.append(this.heading.root, this.list.root, this.none);
    const parts = [this.toolbar, { root: this.scroller }, this.details, this.rewind, this.footer];
    this.root.append(...parts.map((part) => part.root));
    this.list.root.addEventListener("keydown", this.press);
    this.list.root.addEventListener("click", this.click);
    this.list.root.addEventListener("focusin", (event) => this.activate(event.target));
    this.details.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.root.addEventListener("focusin", this.noteFocus);
    this.root.addEventListener("focusout", () => setTimeout(this.noteBlur));
    this.unlisten = tree.listen(this.wake);
    this.draw();
    this.wake();
    requestAnimationFrame(() => this.takeFocus());
  }

  dispose(): void {
    this.unlisten();
    this.freeKeys();
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    this.root.remove();
  }

  private readonly noteFocus = (event: FocusEvent): void => {
    this.tree.focused = event.target instanceof Element ? (event.target.classList[0] ?? "") : "";
  };

  /** An element that is taken away does not give its focus up. */
  private readonly noteBlur = (): void => {
    if (!this.root.isConnected || this.root.contains(document.activeElement)) return;
    this.tree.focused = "";
  };

  /** A notebook redraws an output when it is updated: restore the focus. */
  private takeFocus(): void {
    const { focused, active } = this.tree;
    if (!focused || document.activeElement !== document.body) return;
    if (focused === "chatnb-run") this.list.focus(this.list.placeOf(active));
    else this.root.querySelector<HTMLElement>(`.${focused}`)?.focus({ preventScroll: true });
  }

  /** However much comes at a time, it is drawn once for the next frame. */
  private readonly wake = (): void => {
    const moving = this.tree.isLive && !this.tree.isRewound;
    if (moving) this.timer ??= setInterval(this.request, TICK_MILLISECONDS);
    else this.timer = void clearInterval(this.timer);
    this.request();
  };

  private readonly request = (): void => {
    this.frame ||= requestAnimationFrame(() => this.drawNow());
  };

  /** A key that comes before the next frame is meant for the tree as the last key left it. */
  private drawNow(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.draw();
  }

  private draw(): void {
    const moment = momentOf(this.tree);
    this.outline(moment);
    this.mark(moment);
    this.toolbar.show();
    this.heading.show(moment);
    this.list.root.setAttribute("aria-label", `Runs of ${this.tree.tape.root?.about.name ?? "the log"}`);
    this.list.show(this.rows, moment);
    this.sayWhyEmpty();
    this.details.show(this.tree.opened, moment);
    this.rewind.show();
    this.footer.show(this.rows);
  }

  /** Compute the rows if anything that they depend on has changed. */
  private outline({ at }: Moment): void {
    const { tape, closed, filter } = this.tree;
    // Failures change with every patch, the rows only as runs start and end.
    const length = filter.failed ? at : tape.runs.length + tape.ended;
    const depends = [this.tree.isRewound ? at : length, this.tree.isRewound, filter, closed.size];
    if (depends.every((value, place) => value === this.outlined[place])) return;
    this.outlined = depends;
    this.rows = outline(tape, at, closed, filter);
  }

  private mark({ axis, now, rewound, live }: Moment): void {
    this.root.toggleAttribute("data-rewound", rewound);
    this.root.toggleAttribute("data-live", live);
    this.root.toggleAttribute("data-priced", this.tree.tape.priced);
    const step = `${((axis.step / axis.span) * 100).toFixed(3)}%`;
    const playhead = `${(clamp((now - axis.start) / axis.span) * 100).toFixed(3)}%`;
    this.scroller.style.setProperty("--chatnb-step", step);
    if (rewound) this.scroller.style.setProperty("--chatnb-playhead", playhead);
  }

  private sayWhyEmpty(): void {
    this.none.hidden = this.rows.length > 0;
    const text = this.tree.tape.length
      ? "No run is like that."
      : this.tree.phase === "ended"
        ? "There is no run in this log."
        : "Waiting for the first run…";
    setText(this.none, text);
  }

  /** A screen reader may focus any row. */
  private activate(target: EventTarget | null): void {
    const row = this.list.rowAt(target);
    if (!row || row.run === this.tree.active) return;
    this.tree.active = row.run;
    this.tree.changed();
  }

  private readonly click = (event: MouseEvent): void => {
    const row = this.list.rowAt(event.target);
    if (!row) return;
    const onTwisty = event.target instanceof Element && event.target.closest(".chatnb-run-twisty");
    const fold = onTwisty && row.opens !== "no";
    if (fold) this.fold([row.run], row.opens === "closed");
    else this.tree.opened = this.tree.opened === row.run ? null : row.run;
    this.list.focus(this.list.placeOf(row.run));
  };

  private readonly press = (event: KeyboardEvent): void => {
    if (!isPlain(event)) return;
    if (event.key === "Escape" && this.tree.opened) this.close();
    if (this.frame) this.drawNow();
    const place = this.list.placeOf(this.tree.active);
    const act = actOf(event.key, this.list.all, place);
    if (!act) return;
    event.preventDefault();
    this.act(act, place);
  };

  private act(act: Act, place: number): void {
    const run = (this.list.all[place] as Row).run;
    if (act.kind === "go") this.list.focus(act.to);
    if (act.kind === "fold") this.fold([run], act.open);
    if (act.kind === "unfold siblings") this.fold(this.siblings(place), true);
    if (act.kind === "inspect") this.inspect(run);
  }

  private siblings(place: number): Run[] {
    const { above } = this.list.all[place] as Row;
    return this.list.all.filter((row) => row.above === above).map((row) => row.run);
  }

  private inspect(run: Run): void {
    this.tree.opened = this.tree.opened === run ? null : run;
    this.tree.changed();
  }

  private fold(runs: readonly Run[], open: boolean): void {
    // A filter shows what it asks for, wherever that is.
    if (isFiltering(this.tree.filter)) return;
    for (const run of runs) {
      if (open) this.tree.closed.delete(run);
      else this.tree.closed.add(run);
    }
    this.outlined = [];
    this.outline(momentOf(this.tree));
    this.tree.changed();
  }

  private close(): void {
    const place = this.list.placeOf(this.tree.opened);
    this.tree.opened = null;
    this.tree.changed();
    this.list.focus(Math.max(0, place));
  }
}

export default defineWidget((model: RunTreeModel) => new RunTree(model), showRunTree);
