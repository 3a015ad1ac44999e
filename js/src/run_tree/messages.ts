// What travels between the kernel and the view of a run log, and the reading of it.
import type { AnyModel } from "@anywidget/types";
import { isRecord, readNumber, readString } from "../view/reading";

export const PHASES = ["live", "ended"] as const;
export type Phase = (typeof PHASES)[number];

/** The traits, as Python declares them. */
export interface RunTreeTraits {
  phase: Phase;
  /** How many patches there are in the end; 0 until then. */
  length: number;
  /** The name of the places in the page where the tree is shown. */
  place: string;
}

export type RunTreeModel = AnyModel<RunTreeTraits>;

/** One operation of a patch. Texts are cut and times are milliseconds since 1970. */
export interface Operation {
  path: string;
  value: unknown;
}

export interface Patch {
  ops: Operation[];
  time: number | null;
  root: Record<string, unknown> | null;
}

/** A value made into a text; `more` is the number of characters that were cut off. */
export interface Shown {
  text: string;
  more: number;
}

/** Patches of the log, the first of which has the number `first`, counted from 0. */
export interface Page {
  first: number;
  patches: Patch[];
  /** How many there are in all by now. */
  total: number;
}

export type ToKernel = { kind: "stop" } | { kind: "resync"; first: number };

/** A message of the kernel, or null for what this view does not know. */
export function readPage(content: unknown): Page | null {
  if (!isRecord(content) || content.kind !== "patches") return null;
  if (typeof content.first !== "number" || !Array.isArray(content.patches)) return null;
  const patches = content.patches.map(readPatch);
  return { first: content.first, patches, total: readNumber(content.total) ?? 0 };
}

/** The value of the phase trait. */
export function readPhase(value: unknown): Phase {
  return PHASES.find((phase) => phase === value) ?? "ended";
}

/** A value that may be a text or null, or null for all else. */
export function readShown(value: unknown): Shown | null {
  if (!isRecord(value) || typeof value.text !== "string") return null;
  return { text: value.text, more: readNumber(value.more) ?? 0 };
}

function readPatch(value: unknown): Patch {
  if (!isRecord(value)) return { ops: [], time: null, root: null };
  const ops = Array.isArray(value.ops) ? value.ops : [];
  return {
    ops: ops.filter(isRecord).map((op) => ({ path: readString(op.path), value: op.value })),
    time: readNumber(value.time),
    root: isRecord(value.root) ? value.root : null,
  };
}
