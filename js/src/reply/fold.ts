// How numbered deltas and snapshots become a text: a function of its inputs.
import type { Snapshot } from "./messages";

/** The text so far; `gapped` from a missed delta until a snapshot closes the gap. */
export interface ReplyState {
  readonly seq: number;
  readonly text: string;
  readonly gapped: boolean;
}

export type ReplyEvent =
  | { kind: "delta"; seq: number; text: string }
  | { kind: "snapshot"; seq: number; text: string };

/** What the fold asks of the world: show more, show anew, or ask the kernel for a snapshot. */
export type Effect =
  | { kind: "none" }
  | { kind: "append"; text: string }
  | { kind: "replace"; text: string }
  | { kind: "resync" };

export type Step = readonly [ReplyState, Effect];

const NONE: Effect = { kind: "none" };

export function startState(snapshot: Snapshot): ReplyState {
  return { seq: snapshot.seq, text: snapshot.text, gapped: false };
}

export function fold(state: ReplyState, event: ReplyEvent): Step {
  if (event.seq <= state.seq) return [state, NONE];
  return event.kind === "delta" ? foldDelta(state, event) : foldSnapshot(state, event);
}

function foldDelta(state: ReplyState, delta: Snapshot): Step {
  if (delta.seq === state.seq + 1) {
    const next = { seq: delta.seq, text: state.text + delta.text, gapped: false };
    return [next, { kind: "append", text: delta.text }];
  }
  if (state.gapped) return [state, NONE];
  return [{ ...state, gapped: true }, { kind: "resync" }];
}

function foldSnapshot(state: ReplyState, snapshot: Snapshot): Step {
  const next = startState(snapshot);
  if (snapshot.text.startsWith(state.text)) {
    return [next, { kind: "append", text: snapshot.text.slice(state.text.length) }];
  }
  return [next, { kind: "replace", text: snapshot.text }];
}
