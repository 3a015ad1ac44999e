// Reading of the kernel's pages of patches, and folding of patches into runs.
import type { AnyModel } from "@anywidget/types";
import type { Operation, Page, Patch, RunTreeViewTraits, Text } from "../generated/run_tree";
import { type Position, readAbout, Run } from "./run";
import { isRecord, readNumber, readString } from "../widgets/base";

export const PHASES = ["live", "ended"] as const;
export type Phase = (typeof PHASES)[number];

export type RunTreeModel = AnyModel<RunTreeViewTraits>;

/** A message of the kernel, or null for what this view does not know. */
export function readPage(content: unknown): Page | null {
  if (!isRecord(content) || content.type !== "page") return null;
  if (typeof content.first !== "number" || !Array.isArray(content.patches)) return null;
  const patches = content.patches.map(readPatch);
  return { type: "page", first: content.first, patches, total: readNumber(content.total) ?? 0 };
}

/** The value of the phase trait. */
export function readPhase(value: unknown): Phase {
  return PHASES.find((phase) => phase === value) ?? "ended";
}

/** A value that may be a text or null, or null for all else. */
export function readText(value: unknown): Required<Text> | null {
  if (!isRecord(value) || typeof value.text !== "string") return null;
  return { text: value.text, more: readNumber(value.more) ?? 0 };
}

function readPatch(value: unknown): Patch {
  if (!isRecord(value)) return { ops: [] };
  const ops = Array.isArray(value.ops) ? value.ops : [];
  return {
    ops: ops.filter(isRecord).map((op) => ({ path: readString(op.path), value: op.value })),
    time: readNumber(value.time),
    ...(isRecord(value.root) ? { root: value.root } : {}),
  };
}

const ROOT_FIELDS = ["end_time", "first_token_time", "usage_metadata", "cost"];

export class Tape {
  /** In the order in which they began; the first one is the root. */
  readonly runs: Run[] = [];
  /** The latest moment that the log tells of. */
  latest = -Infinity;
  readonly kinds = new Set<string>();
  /** Whether any run has a price. */
  priced = false;
  /** The number of ends of runs that the log tells of. */
  ended = 0;
  private readonly times: number[] = [];
  private readonly byKey = new Map<string, Run>();
  private readonly byId = new Map<string, Run>();

  get length(): Position {
    return this.times.length;
  }

  get root(): Run | undefined {
    return this.runs[0];
  }

  /** A run by its key in the log; the root has none. */
  runOf(key: string): Run | undefined {
    return key ? this.byKey.get(key) : this.root;
  }

  keyOf(run: Run): string {
    for (const [key, each] of this.byKey) if (each === run) return key;
    return "";
  }

  /** The moment at which the log was at a position. */
  timeAt(at: Position): number {
    return this.times[Math.min(at, this.length) - 1] ?? this.latest;
  }

  /** Fold the next patch into the runs. */
  push(patch: Patch): void {
    const since = this.length + 1;
    if (patch.time !== null && patch.time !== undefined) this.latest = Math.max(this.latest, patch.time);
    for (const op of patch.ops) this.apply(op, patch, since);
    if (patch.root && since > 1) this.setRoot(patch.root, since);
    this.times.push(this.latest);
  }

  private apply({ path, value }: Operation, patch: Patch, since: Position): void {
    if (path === "") return this.addRoot(value, patch, since);
    const [, place, key, field] = path.split("/");
    if (place === "logs" && key !== undefined) return this.applyToRun(unescape(key), field, value, since);
    if (place === "streamed_output") return this.root?.push(readString(value), this.latest, since);
    if (place) this.set(this.root, place, value, since);
  }

  private applyToRun(key: string, field: string | undefined, value: unknown, since: Position): void {
    if (field === undefined) return this.addRun(key, value, since);
    const run = this.byKey.get(key);
    if (field === "streamed_output_str") run?.push(readString(value), this.latest, since);
    else this.set(run, field, value, since);
  }

  private addRoot(value: unknown, patch: Patch, since: Position): void {
    if (this.root) return;
    const id = isRecord(value) ? readString(value.id) : "";
    const about = readAbout(patch.root, id, this.latest);
    this.add(new Run(0, since, null, { ...about, id, kind: about.kind || "chain" }));
  }

  private addRun(key: string, entry: unknown, since: Position): void {
    const parentId = isRecord(entry) ? readString(entry.parent_id) : "";
    const parent = this.byId.get(parentId) ?? this.root;
    if (!parent || this.byKey.has(key)) return;
    const run = new Run(this.runs.length, since, parent, readAbout(entry, key, this.latest));
    this.byKey.set(key, run);
    this.add(run);
  }

  private add(run: Run): void {
    this.runs.push(run);
    if (!this.byId.has(run.about.id)) this.byId.set(run.about.id, run);
    if (run.about.kind) this.kinds.add(run.about.kind);
    this.latest = Math.max(this.latest, run.about.start);
  }

  private setRoot(fields: Record<string, unknown>, since: Position): void {
    for (const field of ROOT_FIELDS) {
      if (field in fields) this.set(this.root, field, fields[field], since);
    }
  }

  private set(run: Run | undefined, field: string, value: unknown, since: Position): void {
    if (field === "end_time" && typeof value === "number") this.latest = Math.max(this.latest, value);
    if (field === "end_time" || field === "final_output" || field === "error") this.ended += 1;
    if (field === "cost" && typeof value === "number") this.priced = true;
    run?.set(field, value, since);
  }
}

/** Undo the escapes of a JSON pointer (RFC 6901). */
function unescape(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
