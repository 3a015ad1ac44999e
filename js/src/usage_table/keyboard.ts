// The keys of a grid with focusable rows, by the WAI-ARIA Authoring Practices.
// Source: https://www.w3.org/WAI/ARIA/apg/patterns/grid/
import { isPlain } from "../widgets/keyboard";

/** The action of a key: go to a row, extend the selection to it, or change the selection. */
export type Act =
  | { kind: "go" | "extend"; to: number }
  | { kind: "toggle" }
  | { kind: "all" }
  | { kind: "copy" }
  | { kind: "clear" }
  | { kind: "header" };

const PAGE = 10;

/** Return whether a key is for the table, and not a shortcut such as Ctrl+S. */
export function isOurs(event: KeyboardEvent): boolean {
  return isPlain(event) || isAccelerated(event, "a") || isAccelerated(event, "c");
}

/** Return the action of a key on the row at an index, or null. */
export function actOf(event: KeyboardEvent, place: number, length: number): Act | null {
  if (isAccelerated(event, "a")) return { kind: "all" };
  if (isAccelerated(event, "c")) return { kind: "copy" };
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

function isAccelerated(event: KeyboardEvent, key: string): boolean {
  const accelerated = event.ctrlKey || event.metaKey;
  return accelerated && !event.altKey && !event.shiftKey && event.key.toLowerCase() === key;
}
