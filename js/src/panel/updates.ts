// Reading of the kernel's updates, and applying them to a conversation: pure functions.
import type { AnyModel } from "@anywidget/types";
import {
  type Branch,
  CALL_STATES,
  type ChatPanelWidgetTraits,
  type Delta,
  type Field,
  FIELDS,
  type Item,
  ITEM_STATUSES,
  type ItemAttachment,
  type ItemToolCall,
  type Limits,
  ROLES,
  type Snapshot,
  type State,
  type Update,
  type Variable,
  type Variables,
} from "../generated/panel";
import type { Highlighter } from "../generated/widgets";
import { isRecord, oneOf, readList, readNumber, readString } from "../widgets/base";
import { withoutKernel } from "../widgets/kernel";

export type PanelModel = AnyModel<ChatPanelWidgetTraits>;

/** Whether more of the message is to come. */
export function isOpen({ status }: Item): boolean {
  return status === "streaming" || status === "waiting";
}

/** Whether a tool call of a message runs. */
export function isRunning({ tool_calls }: Item): boolean {
  return tool_calls.some(({ state }) => state === "running");
}

/** The conversation of a kernel that is gone: nothing goes on. */
export function stopped(conversation: Conversation): Conversation {
  const items = conversation.items.map((item): Item => ({
    ...item,
    tool_calls: item.tool_calls.map(withoutKernel),
    status: isOpen(item) ? "stopped" : item.status,
  }));
  return { ...conversation, items, state: { ...conversation.state, running: false } };
}

/** Whether nothing has come of a message. */
export function isEmpty({ text, reasoning, attachments, tool_calls }: Item): boolean {
  return !text && !reasoning && attachments.length === 0 && tool_calls.length === 0;
}

/** Whether a reply is waited for. */
export function isSilent(item: Item | undefined): boolean {
  return item?.status === "streaming" && isEmpty(item);
}

/** A message of the kernel, or null for one that this widget does not know. */
export function readMessage(content: unknown): Update | Highlighter | Variables | null {
  if (!isRecord(content)) return null;
  if (content.type === "variables") return { type: "variables", variables: readList(content.variables, readVariable) };
  if (content.type === "highlighter") {
    return { type: "highlighter", source: readString(content.source) };
  }
  const seq = readNumber(content.seq);
  return seq === null ? null : readUpdate(content, seq);
}

function readUpdate(content: Record<string, unknown>, seq: number): Update | null {
  const { type } = content;
  if (type === "snapshot") return readSnapshot(content, seq);
  if (type === "delta") return readDelta(content, seq);
  if (type === "state_changed") return { type, seq, state: readState(content.state) };
  if (type === "path_changed") return { type, seq, items: readList(content.items, readItem) };
  const item = type === "item_changed" ? readItem(content.item) : null;
  return item && { type: "item_changed", seq, item };
}

function readSnapshot(content: Record<string, unknown>, seq: number): Snapshot {
  return {
    type: "snapshot",
    seq,
    part: readNumber(content.part) ?? 0,
    parts: readNumber(content.parts) ?? 1,
    items: readList(content.items, readItem),
    state: readState(content.state),
  };
}

function readDelta(content: Record<string, unknown>, seq: number): Delta | null {
  const { id, at, text } = content;
  const field = oneOf(FIELDS, content.field);
  if (typeof id !== "string" || typeof at !== "number" || typeof text !== "string") return null;
  return field ? { type: "delta", seq, id, field, at, text } : null;
}

function readState(value: unknown): State {
  const fields = isRecord(value) ? value : {};
  return {
    running: fields.running === true,
    error: readString(fields.error) || null,
    model: readString(fields.model),
    models: readList(fields.models, readWord),
    temperature: readNumber(fields.temperature),
    system: readString(fields.system),
    usage: readString(fields.usage),
    limits: readLimits(fields.limits),
    name: readString(fields.name),
    about: readString(fields.about),
    suggestions: readList(fields.suggestions, readWord),
  };
}

function readLimits(value: unknown): Limits {
  const fields = isRecord(value) ? value : {};
  return {
    attachment_bytes: readNumber(fields.attachment_bytes) ?? 0,
    attachments_bytes: readNumber(fields.attachments_bytes) ?? 0,
    types: readList(fields.types, readWord),
  };
}

function readVariable(value: unknown): Variable | null {
  if (!isRecord(value) || !readString(value.name)) return null;
  return { name: readString(value.name), summary: readString(value.summary) };
}

function readWord(value: unknown): string | null {
  return readString(value) || null;
}

/** An item, or null for a value without an id. */
function readItem(value: unknown): Item | null {
  if (!isRecord(value) || typeof value.id !== "string" || !value.id) return null;
  return {
    id: value.id,
    role: oneOf(ROLES, value.role) ?? "ai",
    text: readString(value.text),
    reasoning: readString(value.reasoning),
    reasoning_seconds: readNumber(value.reasoning_seconds) ?? null,
    status: oneOf(ITEM_STATUSES, value.status) ?? "done",
    footer: readString(value.footer),
    error: readString(value.error) || null,
    note: readString(value.note),
    branch: readBranch(value.branch),
    attachments: readList(value.attachments, readAttachment),
    tool_calls: readList(value.tool_calls, readToolCall),
  };
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

function readAttachment(value: unknown): ItemAttachment | null {
  if (!isRecord(value)) return null;
  return {
    name: readString(value.name) || "File",
    mime: readString(value.mime),
    size: readNumber(value.size) ?? 0,
    data: readString(value.data),
  };
}

function readToolCall(value: unknown): ItemToolCall | null {
  if (!isRecord(value) || typeof value.id !== "string") return null;
  return {
    id: value.id,
    name: readString(value.name) || "tool",
    arguments: readString(value.arguments),
    state: oneOf(CALL_STATES, value.state) ?? "done",
    result: readString(value.result),
  };
}

export interface Conversation {
  readonly seq: number;
  readonly items: readonly Item[];
  readonly state: State;
  /** Whether a snapshot has been received. */
  readonly known: boolean;
  /** From a missed event until a snapshot closes the gap. */
  readonly gapped: boolean;
  /** The parts of a snapshot that is coming, and the events that came after its number. */
  readonly parts: readonly Snapshot[];
  readonly later: readonly Update[];
}

/** The effect of an update on the views. */
export type Effect =
  | { type: "none" }
  /** The field of the item at `index` grew by `text`. */
  | { type: "grow"; index: number; field: Field; text: string }
  /** The items from `from` on have changed. */
  | { type: "items"; from: number }
  | { type: "state" }
  | { type: "all" };

export type Step = readonly [Conversation, Effect];

export const NOTHING: Conversation = {
  seq: 0, items: [], state: readState({}), known: false, gapped: false, parts: [], later: [],
};
const NONE: Effect = { type: "none" };

export function fold(now: Conversation, event: Update): Step {
  if (event.type === "snapshot") return foldPart(now, event);
  if (now.parts.length) return [{ ...now, later: [...now.later, event] }, NONE];
  if (!now.known || event.seq <= now.seq) return [now, NONE];
  if (event.seq !== now.seq + 1) return gap(now);
  return foldNext(now, event);
}

/** An update was missed: a snapshot is needed. */
export function gap(now: Conversation): Step {
  return [now.gapped ? now : { ...now, gapped: true }, NONE];
}

function foldNext(now: Conversation, event: Exclude<Update, Snapshot>): Step {
  const next = { ...now, seq: event.seq };
  if (event.type === "state_changed") return [{ ...next, state: event.state }, { type: "state" }];
  if (event.type === "delta") return foldDelta(now, event);
  if (event.type === "path_changed") {
    const from = commonLength(now.items, event.items);
    return [{ ...next, items: event.items }, { type: "items", from }];
  }
  const place = now.items.findIndex(({ id }) => id === event.item.id);
  const from = place < 0 ? now.items.length : place;
  const items = [...now.items];
  items[from] = event.item;
  return [{ ...next, items }, { type: "items", from }];
}

function foldDelta(now: Conversation, { seq, id, field, at, text }: Delta): Step {
  const index = now.items.map((item) => item.id).lastIndexOf(id);
  const item = now.items[index];
  if (!item || item[field].length !== at) return gap(now);
  const items = [...now.items];
  items[index] = { ...item, [field]: item[field] + text };
  return [{ ...now, seq, items }, { type: "grow", index, field, text }];
}

function foldPart(now: Conversation, part: Snapshot): Step {
  // A first part starts over, whatever has come of another snapshot.
  const begun = part.part > 0 && now.parts[0]?.seq === part.seq ? now.parts : [];
  const parts = [...begun, part];
  const rest = { ...now, parts: [], later: [] };
  if (part.part !== begun.length) return gap(rest);
  if (parts.length < part.parts) return [{ ...now, parts, later: begun.length ? now.later : [] }, NONE];
  if (now.known && !now.gapped && part.seq < now.seq) return [rest, NONE];
  return [now.later.reduce(foldLater, wholeOf(parts, part)), { type: "all" }];
}

function foldLater(now: Conversation, event: Update): Conversation {
  return fold(now, event)[0];
}

function wholeOf(parts: readonly Snapshot[], { seq, state }: Snapshot): Conversation {
  const items = parts.flatMap((each) => each.items);
  return { seq, items, state, known: true, gapped: false, parts: [], later: [] };
}

/** The number of leading items that are equal in both. */
function commonLength(before: readonly Item[], after: readonly Item[]): number {
  const differs = after.findIndex((item, place) => !isSame(before[place], item));
  return differs < 0 ? after.length : differs;
}

function isSame(before: Item | undefined, after: Item): boolean {
  return before?.id === after.id && JSON.stringify(before) === JSON.stringify(after);
}
