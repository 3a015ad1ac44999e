// What travels between the kernel and the view of a reply, and the reading of it.
import type { AnyModel } from "@anywidget/types";
import { isRecord } from "../view/reading";

export interface Snapshot {
  seq: number;
  text: string;
}

export const PHASES = ["waiting", "streaming", "stopping", "done", "stopped", "failed"] as const;
export type Phase = (typeof PHASES)[number];

/** The traits, as Python declares them. */
export interface ReplyTraits {
  snapshot: Snapshot;
  phase: Phase;
  model_name: string;
  stop_with: "message" | "interrupt";
  stops_all: boolean;
}

export type ReplyModel = AnyModel<ReplyTraits>;

export type FromKernel =
  | { kind: "delta"; seq: number; text: string }
  | { kind: "highlighter"; source: string };

export type ToKernel = { kind: "stop" } | { kind: "resync" } | { kind: "highlighter" };

/** A message of the kernel, or null for what this view does not know. */
export function readMessage(content: unknown): FromKernel | null {
  if (!isRecord(content)) return null;
  const { kind, seq, text, source } = content;
  if (kind === "delta" && typeof seq === "number" && typeof text === "string") {
    return { kind, seq, text };
  }
  if (kind === "highlighter" && typeof source === "string") return { kind, source };
  return null;
}

/** The value of the snapshot trait, or the empty reply if it is not one. */
export function readSnapshot(value: unknown): Snapshot {
  if (isRecord(value) && typeof value.seq === "number" && typeof value.text === "string") {
    return { seq: value.seq, text: value.text };
  }
  return { seq: 0, text: "" };
}

/** The value of the phase trait. */
export function readPhase(value: unknown): Phase {
  return PHASES.find((phase) => phase === value) ?? "streaming";
}
