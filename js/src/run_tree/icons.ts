// The few shapes of the tree.
import { drawing } from "../view/drawing";
import { SHAPES } from "../view/shapes";
import type { Status } from "./run";

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
