// A conversation as one widget model knows it: what has been told of it, and what is asked of it.
import { receiveHighlighter } from "../markdown/highlighting";
import { readNumber, readString } from "../view/reading";
import { Draft } from "./draft";
import { type Conversation, type Effect, fold, gap, NOTHING } from "./fold";
import { type PanelEvent, type PanelModel, readMessage, type ToKernel } from "./messages";
import { Outbox } from "./outbox";
import { Patience } from "./patience";
import type { PanelState } from "./state";

export interface PanelListener {
  /** What is shown is another one now, as far as the effect says. */
  turn(effect: Effect): void;
  /** What waits to be sent is another one now, or whether the kernel answers. */
  waits(): void;
}

/** A trait may overtake the message whose number it tells; a server may drop messages. */
const LAG_MILLISECONDS = 1000;
const RETRY_MILLISECONDS = 4000;
const MOST_TRIES = 5;

export class Panel {
  readonly draft = new Draft();
  readonly outbox = new Outbox(this);
  readonly patience = new Patience(() => this.changed());
  private conversation: Conversation = NOTHING;
  private readonly listeners = new Set<PanelListener>();
  private readonly whenKnown: (() => void)[] = [];
  private asked = false;
  private askedForHighlighter = false;
  private tries = 0;
  private timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(private readonly model: PanelModel) {
    model.on("msg:custom", this.hear);
    model.on("change:seq", this.compare);
    this.ask("hello");
  }

  get items(): Conversation["items"] {
    return this.conversation.items;
  }

  get state(): PanelState {
    return this.conversation.state;
  }

  get isKnown(): boolean {
    return this.conversation.known;
  }

  /** Whether an answer is being given, or asked for. */
  get isBusy(): boolean {
    return this.state.running || this.outbox.isWaiting;
  }

  /** Call `then` once everything has been heard, now or later. */
  whenHeard(then: () => void): void {
    if (this.isKnown) then();
    else this.whenKnown.push(then);
  }

  /** Tell `listener` what happens from now on; call the result to stop that. */
  listen(listener: PanelListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Ask something of the kernel, which answers; say whether it could be sent. */
  send(message: ToKernel, buffers: ArrayBuffer[] = []): boolean {
    try {
      this.model.send(message, undefined, buffers);
    } catch (error) {
      console.warn("chatnb: the kernel cannot be reached.", error);
      this.patience.giveUp();
      return false;
    }
    if (message.kind !== "highlighter") this.patience.wait();
    return true;
  }

  askForHighlighter(): void {
    if (this.askedForHighlighter) return;
    this.askedForHighlighter = true;
    this.send({ kind: "highlighter" });
  }

  readonly changed = (): void => {
    for (const listener of this.listeners) listener.waits();
  };

  dispose(): void {
    this.model.off("msg:custom", this.hear);
    this.model.off("change:seq", this.compare);
    this.patience.dispose();
    for (const timer of this.timers) clearTimeout(timer);
    this.listeners.clear();
  }

  private readonly hear = (content: unknown): void => {
    const message = readMessage(content);
    if (!message) return;
    if (message.kind === "highlighter") return void receiveHighlighter(message.source);
    this.patience.hear();
    this.take(message);
  };

  private take(event: PanelEvent): void {
    const [after, effect] = fold(this.conversation, event);
    this.settle(after, effect);
    this.outbox.heard(event);
  }

  private settle(after: Conversation, effect: Effect): void {
    this.conversation = after;
    if (after.gapped) this.ask("resync");
    if (effect.kind === "all") this.begin();
    if (effect.kind === "none") return;
    for (const listener of this.listeners) listener.turn(effect);
  }

  /** Everything is known. */
  private begin(): void {
    this.asked = false;
    this.tries = 0;
    this.draft.open(this.state.name || readString(this.model.get("place")));
    for (const then of this.whenKnown.splice(0)) then();
    this.changed();
  }

  private readonly compare = (): void => {
    this.later(LAG_MILLISECONDS, () => {
      const { known, seq, parts } = this.conversation;
      const told = readNumber(this.model.get("seq")) ?? 0;
      if (known && !parts.length && seq < told) this.settle(...gap(this.conversation));
    });
  };

  /** Ask for everything: once until it comes, or has not come for too long. */
  private ask(kind: "hello" | "resync"): void {
    if (this.asked) return;
    this.asked = true;
    this.send({ kind });
    this.later(RETRY_MILLISECONDS, () => {
      if (!this.asked || this.tries >= MOST_TRIES) return;
      this.tries += 1;
      this.asked = false;
      this.ask(kind);
    });
  }

  private later(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, milliseconds);
    this.timers.add(timer);
  }
}
