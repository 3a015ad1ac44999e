// A run tree as one widget model knows it: its log and what its views show of it.
import type { Page, Request, RunTreeViewTraits } from "../generated/run_tree";
import { type Axis, axisOf } from "./axis";
import { type Filter, NO_FILTER } from "./outline";
import type { Position, Run } from "./run";
import {
  type Phase,
  readPage,
  readPhase,
  type RunTreeModel,
  Tape,
} from "./updates";
import { readNumber } from "../widgets/base";
import { isLost, kernelOf } from "../widgets/kernel";
import { Resync } from "../widgets/resync";

export class RunTree {
  readonly tape = new Tape();
  /** Folded, active and open runs and the filter: shared by all views, kept when one is removed. */
  readonly closed = new Set<Run>();
  active: Run | null = null;
  filter: Filter = NO_FILTER;
  /** The class of the element that has the focus, or nothing. */
  focused = "";
  /** Whether the kernel of a live log has died or was restarted: no more of it comes. */
  isGone = false;
  private openedRun: Run | null = null;
  private rewoundTo: Position | null = null;
  /** Whether the kernel has asked for a run or a patch that is not there yet. */
  private isAwaiting = false;
  private arrivedAt = performance.now();
  /** The number of patches that the kernel has announced. */
  private announced = 0;
  private readonly resync = new Resync(() => this.send({ type: "resync", first: this.tape.length }));
  private readonly listeners = new Set<() => void>();

  constructor(private readonly model: RunTreeModel) {
    model.on("msg:custom", this.onMessage);
    model.on("change:phase", this.turn);
    model.on("change:patch", this.follow);
    model.on("change:selected", this.follow);
    kernelOf(model)?.statusChanged?.connect(this.checkKernel);
    this.follow();
    this.resync.request();
  }

  get phase(): Phase {
    return this.isGone ? "ended" : readPhase(this.model.get("phase"));
  }

  get isLive(): boolean {
    return this.phase !== "ended";
  }

  /** The position that is looked at. */
  get at(): Position {
    return this.rewoundTo ?? this.tape.length;
  }

  get isRewound(): boolean {
    return this.rewoundTo !== null;
  }

  /** The moment that is looked at: the log's last one, and as long as it grows, that and since. */
  get now(): number {
    if (this.isRewound || !this.isLive) return this.tape.timeAt(this.at);
    return this.tape.latest + (performance.now() - this.arrivedAt);
  }

  /** The latest moment that is known, wherever one looks. */
  get end(): number {
    return this.isLive ? this.tape.latest + (performance.now() - this.arrivedAt) : this.tape.latest;
  }

  /** Look at a position; the last one goes on with the log. */
  rewind(to: Position): void {
    const at = Math.max(1, Math.min(this.tape.length, Math.round(to)));
    this.rewoundTo = at === this.tape.length ? null : at;
    this.isAwaiting = false;
    this.save("patch", this.rewoundTo);
    this.changed();
  }

  /** The run whose details are open. */
  get opened(): Run | null {
    return this.openedRun;
  }

  set opened(run: Run | null) {
    this.openedRun = run;
    this.isAwaiting = false;
    this.save("selected", run && this.tape.keyOf(run));
  }

  stop(): void {
    this.send({ type: "stop" });
  }

  /** Call `listener` at every change from now on; call the result to stop that. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  readonly changed = (): void => {
    for (const listener of this.listeners) listener();
  };

  dispose(): void {
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:phase", this.turn);
    this.model.off("change:patch", this.follow);
    this.model.off("change:selected", this.follow);
    kernelOf(this.model)?.statusChanged?.disconnect(this.checkKernel);
    this.listeners.clear();
    this.resync.stop();
  }

  private readonly checkKernel = (): void => {
    if (!this.isLive || !isLost(kernelOf(this.model))) return;
    this.isGone = true;
    this.resync.stop();
    this.changed();
  };

  private readonly onMessage = (content: unknown): void => {
    const page = readPage(content);
    if (page) this.take(page);
  };

  private take({ first, patches, total }: Page): void {
    const known = this.tape.length;
    this.announced = Math.max(this.announced, total, first + patches.length);
    if (first <= known && first + patches.length > known) {
      for (const patch of patches.slice(known - first)) this.tape.push(patch);
      if (this.isAwaiting) this.follow();
      this.arrivedAt = performance.now();
      this.changed();
    }
    if (first <= known) this.resync.stop();
    this.askForRest();
  }

  private readonly turn = (): void => {
    this.announced = Math.max(this.announced, readNumber(this.model.get("length")) ?? 0);
    this.askForRest();
    this.changed();
  };

  /** Show what the kernel asks for, as far as it is there. */
  private readonly follow = (): void => {
    const at = readNumber(this.model.get("patch"));
    const key: unknown = this.model.get("selected");
    const run = typeof key === "string" ? this.tape.runOf(key) : null;
    this.rewoundTo = at === null || at >= this.tape.length ? null : Math.max(1, Math.round(at));
    if (run !== undefined) this.openedRun = run;
    this.isAwaiting = run === undefined || (at ?? 0) > this.tape.length;
    this.changed();
  };

  private save<Name extends "patch" | "selected">(name: Name, value: RunTreeViewTraits[Name]): void {
    if (this.model.get(name) === value) return;
    this.model.set(name, value);
    this.model.save_changes();
  }

  private askForRest(): void {
    if (this.tape.length < this.announced) this.resync.request();
  }

  private send(message: Request): void {
    this.model.send(message);
  }
}

export interface Moment {
  at: Position;
  now: number;
  axis: Axis;
  rewound: boolean;
  live: boolean;
}

export function momentOf(tree: RunTree): Moment {
  return {
    at: tree.at,
    now: tree.now,
    axis: axisOf(tree.tape, tree.end, tree.isLive),
    rewound: tree.isRewound,
    live: tree.isLive,
  };
}
