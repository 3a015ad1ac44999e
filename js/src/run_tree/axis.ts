// The time axis that all rows share.
import type { Position, Run } from "./run";
import type { Tape } from "./tape";

/** From `start` for `span` milliseconds, with a line at every `step`. */
export interface Axis {
  start: number;
  span: number;
  step: number;
}

/** Where a bar is, in parts of the axis; `wait` is the part of it before the first token. */
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
