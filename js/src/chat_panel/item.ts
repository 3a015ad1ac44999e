// One message of the conversation as the kernel tells it, and the reading of it.
import { isRecord, readNumber, readString } from "../view/reading";

export const ROLES = ["human", "ai", "tool", "system"] as const;
export const STATUSES = ["done", "streaming", "stopped", "failed", "waiting"] as const;
export const CALL_STATES = ["asking", "running", "done", "failed", "rejected"] as const;
export type Role = (typeof ROLES)[number];
export type Status = (typeof STATUSES)[number];
export type CallState = (typeof CALL_STATES)[number];

/** Where a message stands among those that could be in its place. */
export interface Branch {
  /** Counted from 1. */
  index: number;
  count: number;
  previous: string | null;
  next: string | null;
}

export interface Attached {
  name: string;
  mime: string;
  /** In bytes. */
  size: number;
  /** An address of the picture itself, if it is a small one. */
  picture: string | null;
}

export interface Call {
  id: string;
  name: string;
  arguments: string;
  state: CallState;
  result: string;
}

export interface Item {
  id: string;
  role: Role;
  text: string;
  reasoning: string;
  status: Status;
  facts: string;
  error: string | null;
  branch: Branch;
  attachments: readonly Attached[];
  calls: readonly Call[];
}

/** Whether more of the message is to come. */
export function isOpen({ status }: Item): boolean {
  return status === "streaming" || status === "waiting";
}

/** A message, or null for what cannot be told from others. */
export function readItem(value: unknown): Item | null {
  if (!isRecord(value) || typeof value.id !== "string" || !value.id) return null;
  return {
    id: value.id,
    role: oneOf(ROLES, value.role) ?? "ai",
    text: readString(value.text),
    reasoning: readString(value.reasoning),
    status: oneOf(STATUSES, value.status) ?? "done",
    facts: readString(value.facts),
    error: readString(value.error) || null,
    branch: readBranch(value.branch),
    attachments: readList(value.attachments, readAttached),
    calls: readList(value.calls, readCall),
  };
}

/** Those of a list that `read` makes something of. */
export function readList<Value>(value: unknown, read: (each: unknown) => Value | null): Value[] {
  if (!Array.isArray(value)) return [];
  return value.map(read).filter((each) => each !== null);
}

/** The one of `known` that `value` is. */
export function oneOf<Known>(known: readonly Known[], value: unknown): Known | undefined {
  return known.find((each) => each === value);
}

function readBranch(value: unknown): Branch {
  const fields = isRecord(value) ? value : {};
  return {
    index: readNumber(fields.index) ?? 1,
    count: readNumber(fields.count) ?? 1,
    previous: readString(fields.previous) || null,
    next: readString(fields.next) || null,
  };
}

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

function readAttached(value: unknown): Attached | null {
  if (!isRecord(value)) return null;
  const mime = readString(value.mime);
  const data = readString(value.data);
  const isPicture = PICTURES.includes(mime) && /^[\w+/]+={0,2}$/.test(data);
  return {
    name: readString(value.name) || "File",
    mime,
    size: readNumber(value.size) ?? 0,
    picture: isPicture ? `data:${mime};base64,${data}` : null,
  };
}

function readCall(value: unknown): Call | null {
  if (!isRecord(value) || typeof value.id !== "string") return null;
  return {
    id: value.id,
    name: readString(value.name) || "tool",
    arguments: readString(value.arguments),
    state: oneOf(CALL_STATES, value.state) ?? "done",
    result: readString(value.result),
  };
}
