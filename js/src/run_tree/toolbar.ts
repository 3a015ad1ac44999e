// The controls of a run tree: status, filter and Stop above it, slider and totals below.
import { type Filter, isFiltering, type Row, totals } from "./outline";
import type { Run, Status } from "./run";
import type { RunTree } from "./tree";
import { count, counted, duration, price } from "../widgets/formatting";
import { button as plainButton, drawing, element, option, setText, SHAPES } from "../widgets/html";

const WORDS: Record<Status, string> = {
  running: "Running",
  done: "Done",
  failed: "Failed",
  stopped: "Stopped",
};

export class Toolbar {
  readonly root = element("div", "chatnb-run-toolbar");
  private readonly told = element("span", "chatnb-run-told");
  private readonly state = element("span", "chatnb-run-state");
  private readonly status = element("span", "chatnb-run-status");
  private readonly clock = element("span", "chatnb-run-clock");
  private readonly name = element("input", "chatnb-run-search");
  private readonly kind = element("select", "chatnb-run-select");
  private readonly failed = element("button", "chatnb-run-button chatnb-run-toggle");
  private readonly stop = button("stop", "Stop the run", () => this.askToStop(), "Stop");
  private kinds = "";
  private shown = "";

  constructor(private readonly tree: RunTree) {
    this.status.setAttribute("role", "status");
    Object.assign(this.name, { type: "search", placeholder: "Filter by name", value: tree.filter.name });
    this.name.setAttribute("aria-label", "Filter by name");
    this.name.addEventListener("input", () => this.filter({ name: this.name.value }));
    this.kind.append(option("", "All kinds"));
    this.kind.setAttribute("aria-label", "Filter by kind");
    this.kind.addEventListener("change", () => this.filter({ kind: this.kind.value }));
    this.failed.type = "button";
    this.failed.textContent = "Failed";
    this.failed.title = "Show failed runs only";
    this.failed.addEventListener("click", () => this.filter({ failed: !tree.filter.failed }));
    const asked = element("span", "chatnb-run-asked");
    this.told.append(this.state, this.status, this.clock);
    asked.setAttribute("role", "group");
    asked.setAttribute("aria-label", "Filter");
    asked.append(this.name, this.kind, this.failed);
    this.root.append(this.told, this.stop, asked);
  }

  show(): void {
    const { tape, phase, filter } = this.tree;
    this.told.hidden = !tape.root;
    if (tape.root) this.tellOf(tape.root);
    this.offerKinds();
    this.failed.setAttribute("aria-pressed", String(filter.failed));
    this.stop.hidden = phase === "ended";
  }

  private tellOf(root: Run): void {
    const { at, now, isRewound, isGone } = this.tree;
    const status = root.statusAt(at);
    const isRunning = status === "running";
    const time = ` · ${duration((root.endAt(at) ?? now) - root.about.start)}`;
    setText(this.clock, time);
    if (isRunning && isGone) this.turn("stopped", "Broke off: the kernel is gone");
    else this.turn(status, isRewound && isRunning ? "Was running" : WORDS[status]);
  }

  private turn(status: Status, words: string): void {
    if (this.shown === words) return;
    this.shown = words;
    this.root.dataset.status = status;
    this.state.replaceChildren(icon(status));
    this.status.textContent = words;
  }

  private filter(change: Partial<Filter>): void {
    this.tree.filter = { ...this.tree.filter, ...change };
    this.tree.changed();
  }

  private askToStop(): void {
    this.stop.disabled = true;
    this.tree.stop();
  }

  private offerKinds(): void {
    const kinds = [...this.tree.tape.kinds].sort();
    if (this.kinds === kinds.join()) return;
    this.kinds = kinds.join();
    const every = option("", "All kinds");
    this.kind.replaceChildren(every, ...kinds.map((kind) => option(kind, kind)));
    this.kind.value = this.tree.filter.kind;
  }
}

export class Rewind {
  readonly root = element("div", "chatnb-run-rewind");
  private readonly slider = element("input", "chatnb-run-slider");
  private readonly label = element("span", "chatnb-run-position");
  private readonly back = button("previous", "Back one patch", () => this.step(-1));
  private readonly on = button("next", "On one patch", () => this.step(1));
  private readonly last = button("last", "To the last patch", () => this.tree.rewind(this.tree.tape.length));

  constructor(private readonly tree: RunTree) {
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Rewind");
    Object.assign(this.slider, { type: "range", min: "1", step: "1" });
    this.slider.setAttribute("aria-label", "Patch of the log");
    this.slider.addEventListener("input", () => this.tree.rewind(this.slider.valueAsNumber));
    this.root.append(this.back, this.slider, this.on, this.last, this.label);
  }

  show(): void {
    const { tape, at, isRewound, now } = this.tree;
    const [value, most] = [String(at), String(Math.max(1, tape.length))];
    if (this.slider.max !== most) this.slider.max = most;
    if (this.slider.value !== value) this.slider.value = value;
    const fill = `${(((at - 1) / Math.max(1, tape.length - 1)) * 100).toFixed(2)}%`;
    this.slider.style.setProperty("--chatnb-fill", fill);
    const since = duration(now - (tape.root?.about.start ?? now));
    const told = `Patch ${count(at)} of ${count(tape.length)}`;
    setText(this.label, told);
    // The last patch of a growing log has no fixed time, and a changing text would be read out.
    this.slider.setAttribute("aria-valuetext", isRewound ? `${told}, after ${since}` : told);
    this.back.disabled = at <= 1;
    this.on.disabled = this.last.disabled = !isRewound;
  }

  private step(by: number): void {
    this.tree.rewind(this.tree.at + by);
  }
}

export class Footer {
  readonly root = element("div", "chatnb-run-footer");
  private readonly found = element("span", "chatnb-run-found");
  private readonly sum = element("span");

  constructor(private readonly tree: RunTree) {
    this.found.setAttribute("role", "status");
    this.root.append(this.found, this.sum);
  }

  show(rows: readonly Row[]): void {
    const { tape, at, filter } = this.tree;
    const sum = totals(tape, at);
    const hits = isFiltering(filter) ? `${count(rows.filter((row) => row.hit).length)} found in ` : "";
    const parts = [counted(sum.runs, "run"), counted(sum.calls, "model call")];
    if (sum.failed) parts.push(`${count(sum.failed)} failed`);
    if (sum.input || sum.output) parts.push(`${count(sum.input)} tokens in, ${count(sum.output)} out`);
    if (tape.priced) parts.push(price(sum.cost));
    setText(this.found, hits);
    setText(this.sum, parts.join(" · "));
  }
}

export function button(
  shape: Parameters<typeof icon>[0],
  label: string,
  onPress: () => void,
  words = "",
): HTMLButtonElement {
  return plainButton("chatnb-run-button", label, onPress, icon(shape), words);
}

type Shape = Status | keyof typeof SHAPES | "twisty" | "first" | "last";

const PATHS: Record<Shape, string> = {
  ...SHAPES,
  stopped: "M3 3 H9 V9 H3 Z",
  twisty: "M4.25 2.5 8 6 4.25 9.5",
  first: "M3 2.5 V9.5 M9 2.5 5.25 6 9 9.5",
  last: "M9 2.5 V9.5 M3 2.5 6.75 6 3 9.5",
};

export function icon(shape: Shape): SVGElement {
  return drawing(PATHS[shape], `chatnb-run-icon chatnb-run-icon-${shape}`);
}
