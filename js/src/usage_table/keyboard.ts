// The keys of a grid of which rows are focused, as the WAI-ARIA Authoring Practices have them.
// Source: https://www.w3.org/WAI/ARIA/apg/patterns/grid/
import { isPlain } from "../view/keys";

/** What a key asks for: to go to a row, to select up to it, or to change what is selected. */
export type Act =
  | { kind: "go" | "extend"; to: number }
  | { kind: "toggle" }
  | { kind: "all" }
  | { kind: "clear" }
  | { kind: "header" };

const PAGE = 10;

/** Whether a key is one for the table, and not a shortcut such as Ctrl+S. */
export function isOurs(event: KeyboardEvent): boolean {
  return isPlain(event) || isSelectAll(event);
}

/** What a key means on the row at a place of `length`, or null if nothing. */
export function actOf(event: KeyboardEvent, place: number, length: number): Act | null {
  if (isSelectAll(event)) return { kind: "all" };
  if (!isPlain(event)) return null;
  const to = target(event.key, place, length);
  if (to !== null) {
    if (to < 0 && !event.shiftKey) return { kind: "header" };
    return { kind: event.shiftKey ? "extend" : "go", to: Math.max(0, Math.min(length - 1, to)) };
  }
  if (event.key === " " || event.key === "Enter") return { kind: "toggle" };
  return event.key === "Escape" ? { kind: "clear" } : null;
}

function target(key: string, place: number, length: number): number | null {
  const targets: Record<string, number> = {
    ArrowDown: place + 1,
    ArrowUp: place - 1,
    PageDown: place + PAGE,
    PageUp: Math.max(0, place - PAGE),
    Home: 0,
    End: length - 1,
  };
  return targets[key] ?? null;
}

function isSelectAll(event: KeyboardEvent): boolean {
  const accelerated = event.ctrlKey || event.metaKey;
  return accelerated && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "a";
}
