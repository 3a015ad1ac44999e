// Paths that more than one view draws. Each state has a shape of its own: colour is never all
// there is.

export const SHAPES = {
  running: "M6 1.75 A4.25 4.25 0 1 1 1.75 6",
  done: "M2.25 6.5 4.75 9 9.75 3.25",
  failed: "M2.75 2.75 9.25 9.25 M9.25 2.75 2.75 9.25",
  stop: "M2.5 2.5 H9.5 V9.5 H2.5 Z",
  previous: "M7.75 2.5 4 6 7.75 9.5",
  next: "M4.25 2.5 8 6 4.25 9.5",
  close: "M2.75 2.75 9.25 9.25 M9.25 2.75 2.75 9.25",
} as const;
