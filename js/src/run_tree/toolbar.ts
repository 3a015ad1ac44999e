// The line above the tree: how the run stands, the filter, and the way to stop it.
import { element } from "../view/elements";
import { button } from "./button";
import { duration } from "../view/format";
import { icon } from "./icons";
import type { Filter } from "./outline";
import type { Run, Status } from "./run";
import type { RunTree } from "./run_tree";

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
    const { at, now, isRewound } = this.tree;
    const status = root.statusAt(at);
    const time = ` · ${duration((root.endAt(at) ?? now) - root.about.start)}`;
    if (this.clock.textContent !== time) this.clock.textContent = time;
    this.turn(status, isRewound && status === "running" ? "Was running" : WORDS[status]);
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
