// What travels between the kernel and the view of a conversation, and the reading of it.
import type { AnyModel } from "@anywidget/types";
import { isRecord, readNumber, readString } from "../view/reading";
import { type Item, readItem, readList } from "./item";
import { type PanelState, readState } from "./state";

/** The traits, as Python declares them. */
export interface PanelTraits {
  /** The name of the places in the page where the panel is shown. */
  place: string;
  /** The number of the last event: who knows a lower one has missed something. */
  seq: number;
}

export type PanelModel = AnyModel<PanelTraits>;

export type Growing = "text" | "reasoning";

/** A part of everything; it comes in several when it is long. */
export interface SnapshotPart {
  kind: "snapshot";
  seq: number;
  part: number;
  parts: number;
  items: Item[];
  state: PanelState;
}

/** `at` is the length of the field before, in UTF-16 units. */
export interface Delta {
  kind: "delta";
  seq: number;
  id: string;
  field: Growing;
  at: number;
  text: string;
}

export type PanelEvent =
  | SnapshotPart
  | Delta
  | { kind: "item"; seq: number; item: Item }
  | { kind: "path"; seq: number; items: Item[] }
  | { kind: "state"; seq: number; state: PanelState };

export type FromKernel = PanelEvent | { kind: "highlighter"; source: string };

export interface FileFacts {
  name: string;
  mime: string;
  size: number;
}

export type Decision = "once" | "always" | "reject";

export type Settings = Partial<Pick<PanelState, "model" | "temperature" | "system">>;

export type ToKernel =
  | { kind: "hello" }
  | { kind: "resync" }
  | { kind: "highlighter" }
  | { kind: "send"; text: string; attachments: FileFacts[]; nonce: string }
  | { kind: "stop" }
  | { kind: "regenerate"; id: string }
  | { kind: "edit"; id: string; text: string; nonce: string }
  | { kind: "branch"; id: string }
  | { kind: "delete"; id: string }
  | { kind: "decide"; call: string; decision: Decision; reason: string }
  | ({ kind: "settings" } & Settings);

/** A message of the kernel, or null for what this view does not know. */
export function readMessage(content: unknown): FromKernel | null {
  if (!isRecord(content)) return null;
  if (content.kind === "highlighter") {
    return { kind: "highlighter", source: readString(content.source) };
  }
  const seq = readNumber(content.seq);
  return seq === null ? null : readEvent(content, seq);
}

function readEvent(content: Record<string, unknown>, seq: number): PanelEvent | null {
  const { kind } = content;
  if (kind === "snapshot") return readPart(content, seq);
  if (kind === "delta") return readDelta(content, seq);
  if (kind === "state") return { kind, seq, state: readState(content.state) };
  if (kind === "path") return { kind, seq, items: readList(content.items, readItem) };
  const item = kind === "item" ? readItem(content.item) : null;
  return item && { kind: "item", seq, item };
}

function readPart(content: Record<string, unknown>, seq: number): SnapshotPart {
  return {
    kind: "snapshot",
    seq,
    part: readNumber(content.part) ?? 0,
    parts: readNumber(content.parts) ?? 1,
    items: readList(content.items, readItem),
    state: readState(content.state),
  };
}

function readDelta(content: Record<string, unknown>, seq: number): Delta | null {
  const { id, field, at, text } = content;
  if (typeof id !== "string" || typeof at !== "number" || typeof text !== "string") return null;
  if (field !== "text" && field !== "reasoning") return null;
  return { kind: "delta", seq, id, field, at, text };
}
