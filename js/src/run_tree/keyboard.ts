// The keys of a tree, by the WAI-ARIA Authoring Practices.
// Source: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/
import { type Row, titleOf } from "./outline";

/** The action of a key: go to a row, or open, fold or inspect the active one. */
export type Act =
  | { kind: "go"; to: number }
  | { kind: "fold"; open: boolean }
  | { kind: "unfold siblings" }
  | { kind: "inspect" };

const PAGE = 10;

/** Return the action of a key on the row at `index`, or null. */
export function actOf(key: string, rows: readonly Row[], index: number): Act | null {
  const row = rows[index];
  if (!row) return null;
  const last = rows.length - 1;
  const go = (to: number): Act => ({ kind: "go", to: Math.max(0, Math.min(last, to)) });
  switch (key) {
    case "ArrowDown":
      return go(index + 1);
    case "ArrowUp":
      return go(index - 1);
    case "PageDown":
      return go(index + PAGE);
    case "PageUp":
      return go(index - PAGE);
    case "Home":
      return go(0);
    case "End":
      return go(last);
    case "ArrowRight":
      return right(row, index);
    case "ArrowLeft":
      return left(row, rows, index);
    case "*":
      return { kind: "unfold siblings" };
    case "Enter":
    case " ":
      return { kind: "inspect" };
    default:
      return typeAhead(key, rows, index);
  }
}

function right(row: Row, index: number): Act | null {
  if (row.opens === "closed") return { kind: "fold", open: true };
  return row.opens === "open" ? { kind: "go", to: index + 1 } : null;
}

function left(row: Row, rows: readonly Row[], index: number): Act | null {
  if (row.opens === "open") return { kind: "fold", open: false };
  for (let to = index - 1; to >= 0; to -= 1) {
    if (rows[to]?.run === row.above) return { kind: "go", to };
  }
  return null;
}

/** The next row whose text begins with a letter. */
function typeAhead(key: string, rows: readonly Row[], index: number): Act | null {
  if (!/^[\p{L}\p{N}_]$/u.test(key)) return null;
  for (let step = 1; step < rows.length; step += 1) {
    const to = (index + step) % rows.length;
    const { run, branch } = rows[to] as Row;
    if (titleOf(run.about.name, branch).toLowerCase().startsWith(key.toLowerCase())) return { kind: "go", to };
  }
  return null;
}
