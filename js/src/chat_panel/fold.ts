// How numbered events become a conversation: a function of its inputs.
import type { Delta, Growing, PanelEvent, SnapshotPart } from "./messages";
import type { Item } from "./item";
import { NO_STATE, type PanelState } from "./state";

export interface Conversation {
  readonly seq: number;
  readonly items: readonly Item[];
  readonly state: PanelState;
  /** Whether everything has been heard once. */
  readonly known: boolean;
  /** From a missed event until a snapshot closes the gap. */
  readonly gapped: boolean;
  /** The parts of a snapshot that is coming, and the events that came after its number. */
  readonly parts: readonly SnapshotPart[];
  readonly later: readonly PanelEvent[];
}

/** What the fold asks of the world. */
export type Effect =
  | { kind: "none" }
  /** The field of the item at `index` grew by `text`. */
  | { kind: "grow"; index: number; field: Growing; text: string }
  /** The items from `from` on are other ones, or are told anew. */
  | { kind: "items"; from: number }
  | { kind: "state" }
  | { kind: "all" };

export type Step = readonly [Conversation, Effect];

export const NOTHING: Conversation = {
  seq: 0, items: [], state: NO_STATE, known: false, gapped: false, parts: [], later: [],
};
const NONE: Effect = { kind: "none" };

export function fold(now: Conversation, event: PanelEvent): Step {
  if (event.kind === "snapshot") return foldPart(now, event);
  if (now.parts.length) return [{ ...now, later: [...now.later, event] }, NONE];
  if (!now.known || event.seq <= now.seq) return [now, NONE];
  if (event.seq !== now.seq + 1) return gap(now);
  return foldNext(now, event);
}

/** What came does not fit: everything is to be told anew. */
export function gap(now: Conversation): Step {
  return [now.gapped ? now : { ...now, gapped: true }, NONE];
}

function foldNext(now: Conversation, event: Exclude<PanelEvent, SnapshotPart>): Step {
  const next = { ...now, seq: event.seq };
  if (event.kind === "state") return [{ ...next, state: event.state }, { kind: "state" }];
  if (event.kind === "delta") return foldDelta(now, event);
  if (event.kind === "path") {
    const from = commonLength(now.items, event.items);
    return [{ ...next, items: event.items }, { kind: "items", from }];
  }
  const place = now.items.findIndex(({ id }) => id === event.item.id);
  const from = place < 0 ? now.items.length : place;
  const items = [...now.items];
  items[from] = event.item;
  return [{ ...next, items }, { kind: "items", from }];
}

function foldDelta(now: Conversation, { seq, id, field, at, text }: Delta): Step {
  const index = now.items.map((item) => item.id).lastIndexOf(id);
  const item = now.items[index];
  if (!item || item[field].length !== at) return gap(now);
  const items = [...now.items];
  items[index] = { ...item, [field]: item[field] + text };
  return [{ ...now, seq, items }, { kind: "grow", index, field, text }];
}

function foldPart(now: Conversation, part: SnapshotPart): Step {
  // The first part of a snapshot begins it anew, whatever came of another one.
  const begun = part.part > 0 && now.parts[0]?.seq === part.seq ? now.parts : [];
  const parts = [...begun, part];
  const rest = { ...now, parts: [], later: [] };
  if (part.part !== begun.length) return gap(rest);
  if (parts.length < part.parts) return [{ ...now, parts, later: begun.length ? now.later : [] }, NONE];
  if (now.known && !now.gapped && part.seq < now.seq) return [rest, NONE];
  return [now.later.reduce(foldLater, wholeOf(parts, part)), { kind: "all" }];
}

function foldLater(now: Conversation, event: PanelEvent): Conversation {
  return fold(now, event)[0];
}

function wholeOf(parts: readonly SnapshotPart[], { seq, state }: SnapshotPart): Conversation {
  const items = parts.flatMap((each) => each.items);
  return { seq, items, state, known: true, gapped: false, parts: [], later: [] };
}

/** How many items at the beginning are the same in both. */
function commonLength(before: readonly Item[], after: readonly Item[]): number {
  const differs = after.findIndex((item, place) => !isSame(before[place], item));
  return differs < 0 ? after.length : differs;
}

function isSame(before: Item | undefined, after: Item): boolean {
  return before?.id === after.id && JSON.stringify(before) === JSON.stringify(after);
}
