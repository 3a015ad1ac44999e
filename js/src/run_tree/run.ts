// A run at any position of the log. Each value knows from which position it holds, so that going
// back costs no more than going on.
import type { Text } from "../generated/run_tree";
import { readText } from "./updates";
import { isRecord, readNumber, readString } from "../widgets/base";

/** The number of patches that have been applied. */
export type Position = number;

/** The beginning of LangChain's tag of a branch. */
const BRANCH_TAG = "map:key:";

export type Status = "running" | "done" | "failed" | "stopped";

export interface Failure {
  type: string;
  message: string;
  traceback: string;
  stopped: boolean;
}

export interface Usage {
  input: number;
  output: number;
  total: number;
}

/** A fact and the position from which it holds. */
interface Fact<T> {
  readonly since: Position;
  readonly value: T;
}

export class Run {
  readonly children: Run[] = [];
  private readonly pieces: string[] = [];
  private readonly piecesSince: Position[] = [];
  private ended: Fact<true> | null = null;
  private endTime: Fact<number> | null = null;
  private output: Fact<Required<Text>> | null = null;
  private failure: Fact<Failure> | null = null;
  private usage: Fact<Usage> | null = null;
  private cost: Fact<number> | null = null;
  private firstPiece: Fact<number> | null = null;
  private firstToken: Fact<number> | null = null;

  /**
   * @param index - How many runs the log knew before this one.
   * @param since - The position from which it exists.
   */
  constructor(
    readonly index: number,
    readonly since: Position,
    readonly parent: Run | null,
    readonly about: About,
  ) {
    parent?.children.push(this);
  }

  /** Take one field of the run's entry in the log, as it is from `since` on. */
  set(field: string, value: unknown, since: Position): void {
    // Only the logged run itself may end without saying when.
    const ends = field === "end_time" || (field === "final_output" && !this.parent);
    if (ends && value !== null && value !== undefined) this.ended ??= { since, value: true };
    if (field === "final_output") this.output = fact(readText(value), since);
    if (field === "end_time") this.endTime = fact(readNumber(value), since);
    if (field === "first_token_time") this.firstToken = fact(readNumber(value), since);
    if (field === "usage_metadata") this.usage = fact(readUsage(value), since);
    if (field === "error") this.failure = fact(readFailure(value), since);
    if (field === "cost") this.cost = fact(readNumber(value), since);
  }

  /** Take the next piece of what the run streams. */
  push(piece: string, time: number, since: Position): void {
    this.pieces.push(piece);
    this.piecesSince.push(since);
    if (piece) this.firstPiece ??= { since, value: time };
  }

  statusAt(at: Position): Status {
    const failure = valueAt(this.failure, at);
    if (failure) return failure.stopped ? "stopped" : "failed";
    return valueAt(this.ended, at) ? "done" : "running";
  }

  endAt(at: Position): number | null {
    return valueAt(this.endTime, at);
  }

  firstTokenAt(at: Position): number | null {
    return valueAt(this.firstToken, at) ?? valueAt(this.firstPiece, at);
  }

  usageAt(at: Position): Usage | null {
    return valueAt(this.usage, at);
  }

  costAt(at: Position): number | null {
    return valueAt(this.cost, at);
  }

  failureAt(at: Position): Failure | null {
    return valueAt(this.failure, at);
  }

  /** The output, or as much of it as has streamed. */
  outputAt(at: Position): Required<Text> | null {
    const output = valueAt(this.output, at);
    if (output) return output;
    const pieces = this.pieces.slice(0, countUpTo(this.piecesSince, at));
    return pieces.length ? { text: pieces.join(""), more: 0 } : null;
  }

  /** The number of children at a position; children are in order of their start. */
  childrenAt(at: Position): number {
    const last = this.children.at(-1);
    if (!last || last.since <= at) return this.children.length;
    return countUpTo(this.children.map((child) => child.since), at);
  }
}

/** The fields of a run that are known from its start. */
export interface About {
  id: string;
  name: string;
  kind: string;
  tags: string[];
  /** The key of the RunnableParallel's branch that the run is, or nothing. */
  branch: string;
  start: number;
  metadata: Required<Text> | null;
  inputs: Required<Text> | null;
}

export function readAbout(entry: unknown, id: string, time: number): About {
  const fields = isRecord(entry) ? entry : {};
  const tags = Array.isArray(fields.tags) ? fields.tags.filter((tag) => typeof tag === "string") : [];
  return {
    id: readString(fields.id) || id,
    name: readString(fields.name) || "Run",
    kind: readString(fields.type),
    tags,
    branch: readBranch(tags),
    start: readNumber(fields.start_time) ?? time,
    metadata: readText(fields.metadata),
    inputs: readText(fields.inputs),
  };
}

function readBranch(tags: readonly string[]): string {
  const tag = tags.find((each) => each.startsWith(BRANCH_TAG));
  return tag ? tag.slice(BRANCH_TAG.length) : "";
}

/** The number of ascending `values` that are at most `limit`. */
export function countUpTo(values: readonly number[], limit: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function fact<T>(value: T | null, since: Position): Fact<T> | null {
  return value === null ? null : { since, value };
}

function valueAt<T>(known: Fact<T> | null, at: Position): T | null {
  return known && known.since <= at ? known.value : null;
}

function readUsage(value: unknown): Usage | null {
  if (!isRecord(value)) return null;
  const [input, output] = [readNumber(value.input_tokens) ?? 0, readNumber(value.output_tokens) ?? 0];
  return { input, output, total: readNumber(value.total_tokens) ?? input + output };
}

function readFailure(value: unknown): Failure | null {
  if (!isRecord(value)) return null;
  return {
    type: readString(value.type) || "Error",
    message: readString(value.message),
    traceback: readString(value.traceback),
    stopped: value.stopped === true,
  };
}
