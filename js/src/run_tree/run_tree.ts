// A run log as one widget model knows it: what has come of it, and what its views look at.
import { readNumber } from "../view/reading";
import { type Page, type Phase, readPage, readPhase, type RunTreeModel, type ToKernel } from "./messages";
import { type Filter, NO_FILTER } from "./outline";
import type { Position, Run } from "./run";
import { Tape } from "./tape";

/** A server may drop messages when there are too many of them. */
const PATIENCE_MILLISECONDS = 4000;
const MOST_TRIES = 5;

export class RunTree {
  readonly tape = new Tape();
  /** What is folded up, looked at and asked for: common to all views, and kept when one goes. */
  readonly closed = new Set<Run>();
  active: Run | null = null;
  opened: Run | null = null;
  filter: Filter = NO_FILTER;
  /** The class of the element that has the focus, or nothing. */
  focused = "";
  private rewoundTo: Position | null = null;
  private arrivedAt = performance.now();
  /** How many patches there are, as far as one has heard. */
  private heardOf = 0;
  private asked = false;
  private tries = 0;
  private disposed = false;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly model: RunTreeModel) {
    model.on("msg:custom", this.hear);
    model.on("change:phase", this.turn);
    this.ask();
  }

  get phase(): Phase {
    return readPhase(this.model.get("phase"));
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
    this.changed();
  }

  stop(): void {
    this.send({ kind: "stop" });
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
    this.model.off("msg:custom", this.hear);
    this.model.off("change:phase", this.turn);
    this.listeners.clear();
    this.disposed = true;
  }

  private readonly hear = (content: unknown): void => {
    const page = readPage(content);
    if (page) this.take(page);
  };

  private take({ first, patches, total }: Page): void {
    const known = this.tape.length;
    this.heardOf = Math.max(this.heardOf, total, first + patches.length);
    if (first <= known && first + patches.length > known) {
      for (const patch of patches.slice(known - first)) this.tape.push(patch);
      this.arrivedAt = performance.now();
      this.changed();
    }
    if (first <= known) this.asked = false;
    this.askForRest();
  }

  private readonly turn = (): void => {
    this.heardOf = Math.max(this.heardOf, readNumber(this.model.get("length")) ?? 0);
    this.askForRest();
    this.changed();
  };

  private askForRest(): void {
    if (this.tape.length < this.heardOf) this.ask();
  }

  /** Ask for what is missing: once until something comes, or has not come for too long. */
  private ask(): void {
    if (this.asked || this.disposed) return;
    this.asked = true;
    const known = this.tape.length;
    this.send({ kind: "resync", first: known });
    setTimeout(() => {
      if (!this.asked || this.tape.length !== known || this.tries >= MOST_TRIES) return;
      this.tries += 1;
      this.asked = false;
      this.ask();
    }, PATIENCE_MILLISECONDS);
  }

  private send(message: ToKernel): void {
    this.model.send(message);
  }
}
