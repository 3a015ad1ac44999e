// The few shapes of the tree. Each state has a shape of its own: colour is never all there is.
import type { Status } from "./run";

const SVG = "http://www.w3.org/2000/svg";

type Shape = Status | "twisty" | "first" | "previous" | "next" | "last" | "close" | "stop";

const PATHS: Record<Shape, string> = {
  running: "M6 1.75 A4.25 4.25 0 1 1 1.75 6",
  done: "M2.25 6.5 4.75 9 9.75 3.25",
  failed: "M2.75 2.75 9.25 9.25 M9.25 2.75 2.75 9.25",
  stopped: "M3 3 H9 V9 H3 Z",
  stop: "M2.5 2.5 H9.5 V9.5 H2.5 Z",
  twisty: "M4.25 2.5 8 6 4.25 9.5",
  first: "M3 2.5 V9.5 M9 2.5 5.25 6 9 9.5",
  previous: "M7.75 2.5 4 6 7.75 9.5",
  next: "M4.25 2.5 8 6 4.25 9.5",
  last: "M9 2.5 V9.5 M3 2.5 6.75 6 3 9.5",
  close: "M2.75 2.75 9.25 9.25 M9.25 2.75 2.75 9.25",
};

export function icon(shape: Shape): SVGElement {
  const drawing = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  drawing.setAttribute("class", `chatnb-run-icon chatnb-run-icon-${shape}`);
  drawing.setAttribute("viewBox", "0 0 12 12");
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[shape]);
  drawing.append(path);
  return drawing;
}
