// One row of the tree, as elements that are used again for other runs.
import { element } from "../view/elements";
import { barOf } from "./axis";
import { count, counted, duration, price } from "../view/format";
import { ROW_HEIGHT } from "../view/window";
import { icon } from "./icons";
import type { Moment } from "./moment";
import type { Row } from "./outline";
import type { Run, Status } from "./run";

const DEEPEST_INDENT = 16;

export class RowView {
  readonly root = element("div", "chatnb-run");
  private run: Run | null = null;
  private status: Status | null = null;
  private readonly written = new Map<string, string>();
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
    title.append(twisty, this.state, this.name);
    this.root.setAttribute("role", "treeitem");
    this.root.append(title, this.kind, this.bar.root, this.time, this.tokens, this.cost);
  }

  /** Show a row; only what differs from what is there is written. */
  show(row: Row, index: number, moment: Moment, isActive: boolean, isOpened: boolean): void {
    this.run = row.run;
    this.place(row, index, isActive, isOpened);
    this.tell(row.run, moment);
    this.bar.show(row.run, moment);
  }

  /** The run that is shown. */
  get shown(): Run | null {
    return this.run;
  }

  private place(row: Row, index: number, isActive: boolean, isOpened: boolean): void {
    const { run } = row;
    const indent = Math.min(run.level - 1, DEEPEST_INDENT);
    this.write("style", `top:${index * ROW_HEIGHT}px;--chatnb-indent:${indent}`);
    this.write("aria-level", String(run.level));
    this.write("aria-posinset", String(row.place));
    this.write("aria-setsize", String(row.size));
    this.write("aria-expanded", row.opens === "no" ? "" : String(row.opens === "open"));
    this.write("aria-selected", String(isOpened));
    this.write("tabindex", isActive ? "0" : "-1");
    this.write("data-hit", String(row.hit));
  }

  private tell(run: Run, moment: Moment): void {
    const status = run.statusAt(moment.at);
    const usage = run.usageAt(moment.at);
    const cost = run.costAt(moment.at);
    const time = duration((run.endAt(moment.at) ?? moment.now) - run.about.start);
    this.turn(status);
    this.text(this.name, run.about.name);
    this.text(this.kind, run.about.kind);
    this.text(this.time, time);
    this.text(this.tokens, usage ? count(usage.total) : "");
    this.text(this.cost, cost === null ? "" : price(cost));
    this.write("title", run.about.name);
    const facts = [run.about.name, run.about.kind, status];
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

  private text(place: HTMLElement, text: string): void {
    if (place.textContent !== text) place.textContent = text;
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
