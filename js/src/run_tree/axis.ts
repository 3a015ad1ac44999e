// The time axis that all rows share, and the heading with its ticks.
import type { Position, Run } from "./run";
import type { Moment } from "./tree";
import type { Tape } from "./updates";
import { tick } from "../widgets/formatting";
import { element } from "../widgets/html";

/** From `start` for `span` milliseconds, with a line at every `step`. */
export interface Axis {
  start: number;
  span: number;
  step: number;
}

/** The position of a bar, in parts of the axis; `wait` is its part before the first token. */
export interface Bar {
  left: number;
  width: number;
  wait: number | null;
}

const SHORTEST = 1;
const LINES = 4;

/** The axis of the whole log. While it grows it grows in steps, so that bars stand still. */
export function axisOf(tape: Tape, now: number, growing: boolean): Axis {
  const start = tape.root?.about.start ?? now;
  const known = Math.max(SHORTEST, Math.max(now, tape.latest) - start);
  const span = growing ? roundUp(known) : known;
  return { start, span, step: roundUp(span / LINES) };
}

export function barOf(run: Run, at: Position, now: number, axis: Axis): Bar {
  const end = run.endAt(at) ?? now;
  const token = run.firstTokenAt(at);
  const length = Math.max(0, end - run.about.start);
  return {
    left: clamp((run.about.start - axis.start) / axis.span),
    width: clamp(length / axis.span),
    wait: token === null || length === 0 ? null : clamp((token - run.about.start) / length),
  };
}

/** The lines of the axis, in milliseconds from its start. */
export function linesOf({ span, step }: Axis): number[] {
  const count = Math.floor(span / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, line) => line * step);
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5].find((step) => step * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

export function clamp(part: number): number {
  return Math.min(1, Math.max(0, part));
}

export class Heading {
  readonly root = element("div", "chatnb-run-heading");
  private readonly lane = element("span", "chatnb-run-lane");
  private drawn = "";

  constructor() {
    new ResizeObserver(this.hideCrowded).observe(this.lane);
    this.root.setAttribute("aria-hidden", "true");
    this.root.append(
      element("span", "chatnb-run-title", "Run"),
      element("span", "chatnb-run-kind", "Kind"),
      this.lane,
      element("span", "chatnb-run-number", "Time"),
      element("span", "chatnb-run-number chatnb-run-tokens", "Tokens"),
      element("span", "chatnb-run-number chatnb-run-cost", "Cost"),
    );
  }

  show({ axis }: Moment): void {
    const drawn = `${axis.span}/${axis.step}`;
    if (this.drawn === drawn) return;
    this.drawn = drawn;
    this.lane.replaceChildren(...linesOf(axis).map((line) => label(line, axis)));
    this.hideCrowded();
  }

  /** Of labels that would overlap, the first is read. */
  private readonly hideCrowded = (): void => {
    let end = -Infinity;
    for (const tick of this.lane.children) {
      const { left, right } = tick.getBoundingClientRect();
      const crowded = left < end;
      tick.toggleAttribute("data-crowded", crowded);
      if (!crowded) end = right;
    }
  };
}

function label(line: number, axis: Axis): HTMLElement {
  const made = element("span", "chatnb-run-tick", tick(line));
  const part = line / axis.span;
  made.style.left = `${(part * 100).toFixed(3)}%`;
  // A label at the far end would stand in the next column.
  made.toggleAttribute("data-last", part > 0.85);
  return made;
}
