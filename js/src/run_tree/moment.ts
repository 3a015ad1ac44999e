// What the rows are drawn from: a position of the log and the axis.
import { type Axis, axisOf } from "./axis";
import type { Position } from "./run";
import type { RunTree } from "./run_tree";

export interface Moment {
  at: Position;
  now: number;
  axis: Axis;
  rewound: boolean;
  live: boolean;
}

export function momentOf(tree: RunTree): Moment {
  return {
    at: tree.at,
    now: tree.now,
    axis: axisOf(tree.tape, tree.end, tree.isLive),
    rewound: tree.isRewound,
    live: tree.isLive,
  };
}
