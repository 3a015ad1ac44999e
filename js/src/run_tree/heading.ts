// The line above the rows: what the columns are, and the lines of the time axis.
import { element } from "../view/elements";
import { type Axis, linesOf } from "./axis";
import { tick } from "../view/format";
import type { Moment } from "./moment";

export class Heading {
  readonly root = element("div", "chatnb-run-heading");
  private readonly lane = element("span", "chatnb-run-lane");
  private drawn = "";

  constructor() {
    this.root.setAttribute("aria-hidden", "true");
    this.root.append(
      cell("Run", "chatnb-run-title"),
      cell("Kind", "chatnb-run-kind"),
      this.lane,
      cell("Time", "chatnb-run-number"),
      cell("Tokens", "chatnb-run-number chatnb-run-tokens"),
      cell("Cost", "chatnb-run-number chatnb-run-cost"),
    );
  }

  show({ axis }: Moment): void {
    const drawn = `${axis.span}/${axis.step}`;
    if (this.drawn === drawn) return;
    this.drawn = drawn;
    this.lane.replaceChildren(...linesOf(axis).map((line) => label(line, axis)));
  }
}

function cell(text: string, className: string): HTMLElement {
  const made = element("span", className);
  made.textContent = text;
  return made;
}

function label(line: number, axis: Axis): HTMLElement {
  const made = cell(tick(line), "chatnb-run-tick");
  const part = line / axis.span;
  made.style.left = `${(part * 100).toFixed(3)}%`;
  // A label at the far end would stand in the next column.
  made.toggleAttribute("data-last", part > 0.85);
  return made;
}
