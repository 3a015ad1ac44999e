// The line above the tree: how the run stands, the filter, and the way to stop it.
import { element } from "../reply/elements";
import { button } from "./button";
import { duration } from "./format";
import { icon } from "./icons";
import type { Filter } from "./outline";
import type { Status } from "./run";
import type { RunTree } from "./run_tree";

const WORDS: Record<Status, string> = {
  running: "Running",
  done: "Done",
  failed: "Failed",
  stopped: "Stopped",
};

export class Toolbar {
  readonly root = element("div", "chatnb-run-toolbar");
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
    this.kind.setAttribute("aria-label", "Filter by kind");
    this.kind.addEventListener("change", () => this.filter({ kind: this.kind.value }));
    this.failed.type = "button";
    this.failed.textContent = "Failed";
    this.failed.title = "Show failed runs only";
    this.failed.addEventListener("click", () => this.filter({ failed: !tree.filter.failed }));
    const told = element("span", "chatnb-run-told");
    const asked = element("span", "chatnb-run-asked");
    told.append(this.state, this.status, this.clock);
    asked.setAttribute("role", "group");
    asked.setAttribute("aria-label", "Filter");
    asked.append(this.name, this.kind, this.failed);
    this.root.append(told, this.stop, asked);
  }

  show(): void {
    const { tape, at, now, phase, filter } = this.tree;
    const status = tape.root?.statusAt(at) ?? "running";
    const start = tape.root?.about.start ?? now;
    const time = ` · ${duration((tape.root?.endAt(at) ?? now) - start)}`;
    if (this.clock.textContent !== time) this.clock.textContent = time;
    this.offerKinds();
    this.failed.setAttribute("aria-pressed", String(filter.failed));
    this.turn(status, this.tree.isRewound && status === "running" ? "Was running" : WORDS[status]);
    this.stop.hidden = phase === "ended";
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

function option(value: string, text: string): HTMLOptionElement {
  const made = element("option");
  made.value = value;
  made.textContent = text;
  return made;
}
