// The slider over the patches: the tree as it was at any of them.
import { element } from "../view/elements";
import { button } from "./button";
import { count, duration } from "../view/format";
import type { RunTree } from "./run_tree";

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
    if (this.label.textContent !== told) this.label.textContent = told;
    // The last patch of a growing log has no fixed time, and a changing text would be read out.
    this.slider.setAttribute("aria-valuetext", isRewound ? `${told}, after ${since}` : told);
    this.back.disabled = at <= 1;
    this.on.disabled = this.last.disabled = !isRewound;
  }

  private step(by: number): void {
    this.tree.rewind(this.tree.at + by);
  }
}
