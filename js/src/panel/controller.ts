// A panel as one widget model knows it: what the kernel has sent, and requests to the kernel.
import { findRenderers, type Renderers } from "../markdown/host";
import { receiveHighlighter } from "../markdown/highlighting";
import { Draft, newNonce, Outbox } from "./composer/draft";
import { mentioned } from "./composer/suggestions";
import type { Request, State, Update, Variable } from "../generated/panel";
import type { GetHighlighter } from "../generated/widgets";
import { type Conversation, type Effect, fold, gap, NOTHING, isRunning, type PanelModel, readMessage, stopped } from "./updates";
import { readNumber, readString } from "../widgets/base";
import { interrupt, isLost, kernelOf } from "../widgets/kernel";
import { Resync } from "../widgets/resync";

export interface PanelListener {
  /** The conversation has changed. */
  turn(effect: Effect): void;
  /** The draft, the outbox, or whether the kernel answers has changed. */
  waits(): void;
}

/** A kernel that is idle answers sooner, unless code runs that no cell has started. */
const DEAF_MILLISECONDS = 1000;
/** A trait may overtake the message with its number. */
const LAG_MILLISECONDS = 1000;
/** Nobody waits for an answer to these: a view that scrolls into sight must not claim that the kernel is gone. */
const UNACKNOWLEDGED = ["get_highlighter", "subscribe", "unsubscribe"];

export class PanelController {
  readonly draft = new Draft();
  readonly outbox = new Outbox(this);
  readonly watchdog = new KernelWatchdog(() => this.changed());
  readonly presence = new Presence((request) => this.send(request));
  private readonly snapshots = new Resync(() => this.send({ type: "resync" }));
  /** The variables of the notebook, as far as they were asked for. */
  variables: readonly Variable[] | null = null;
  /** Whether the kernel of the conversation has died or was restarted. */
  isGone = false;
  private askedForVariables = false;
  private conversation: Conversation = NOTHING;
  private readonly listeners = new Set<PanelListener>();
  private readonly readyListeners: (() => void)[] = [];
  private askedForHighlighter = false;
  private timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(private readonly model: PanelModel) {
    model.on("msg:custom", this.onMessage);
    model.on("change:seq", this.compare);
    kernelOf(model)?.statusChanged?.connect(this.checkKernel);
    if (this.send({ type: "hello" })) this.snapshots.expect();
  }

  get items(): Conversation["items"] {
    return this.conversation.items;
  }

  get state(): State {
    return this.conversation.state;
  }

  /** The notebook's own renderers. */
  get renderers(): Renderers | null {
    return findRenderers(this.model);
  }

  get isKnown(): boolean {
    return this.conversation.known;
  }

  /** Whether a reply is streaming or requested. */
  get isBusy(): boolean {
    return this.state.running || this.outbox.isWaiting;
  }

  /** Call `listener` once a snapshot has been received, now or later. */
  whenReady(listener: () => void): void {
    if (this.isKnown) listener();
    else this.readyListeners.push(listener);
  }

  /** Call `listener` at every change; the result removes it. */
  listen(listener: PanelListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Send a request, which the kernel answers; return whether it could be sent. */
  send(message: Request | GetHighlighter, buffers: ArrayBuffer[] = []): boolean {
    try {
      if (this.isGone) throw new Error("The kernel is gone.");
      this.model.send(message, undefined, buffers);
    } catch (error) {
      console.warn("chatnb: the kernel cannot be reached.", error);
      this.watchdog.giveUp();
      return false;
    }
    if (!UNACKNOWLEDGED.includes(message.type)) this.watchdog.wait();
    return true;
  }

  /** Stop the turn. A kernel in which code of the turn runs cannot hear of it, and is interrupted. */
  stop(): void {
    this.send({ type: "stop" });
    this.later(DEAF_MILLISECONDS, () => {
      const kernel = kernelOf(this.model);
      if (this.watchdog.isWaiting && kernel?.status === "idle" && this.items.some(isRunning)) void interrupt(kernel);
    });
  }

  /** The variables that go along with the draft. */
  mentioned(): Variable[] {
    return mentioned(this.draft.text, this.variables ?? []).filter(({ name }) => !this.draft.left.has(name));
  }

  askForVariables(): void {
    if (this.askedForVariables) return;
    this.askedForVariables = true;
    this.send({ type: "list_variables" });
  }

  askForHighlighter(): void {
    if (this.askedForHighlighter) return;
    this.askedForHighlighter = true;
    this.send({ type: "get_highlighter" });
  }

  readonly changed = (): void => {
    for (const listener of this.listeners) listener.waits();
  };

  dispose(): void {
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:seq", this.compare);
    kernelOf(this.model)?.statusChanged?.disconnect(this.checkKernel);
    this.watchdog.dispose();
    this.presence.dispose();
    this.snapshots.stop();
    for (const timer of this.timers) clearTimeout(timer);
    this.listeners.clear();
  }

  private readonly onMessage = (content: unknown): void => {
    const message = readMessage(content);
    if (!message) return;
    if (message.type === "highlighter") return void receiveHighlighter(message.source);
    this.watchdog.received();
    if (message.type === "variables") {
      this.variables = message.variables;
      return this.changed();
    }
    this.take(message);
  };

  private take(event: Update): void {
    const [after, effect] = fold(this.conversation, event);
    if (event.type === "snapshot") this.snapshots.expect();
    this.settle(after, effect);
    this.outbox.onUpdate(event);
  }

  private settle(after: Conversation, effect: Effect): void {
    this.conversation = after;
    if (after.gapped) this.snapshots.request();
    else if (after.known && !after.parts.length) this.snapshots.stop();
    if (effect.type === "all") this.begin();
    if (effect.type === "none") return;
    for (const listener of this.listeners) listener.turn(effect);
  }

  /** A snapshot has been applied. */
  private begin(): void {
    this.draft.open(this.state.name || readString(this.model.get("mount_point")));
    for (const listener of this.readyListeners.splice(0)) listener();
    this.changed();
  }

  private readonly compare = (): void => {
    this.later(LAG_MILLISECONDS, () => {
      const { known, seq, parts } = this.conversation;
      const latest = readNumber(this.model.get("seq")) ?? 0;
      if (known && !parts.length && seq < latest) this.settle(...gap(this.conversation));
    });
  };

  private readonly checkKernel = (): void => {
    if (this.isGone || !isLost(kernelOf(this.model))) return;
    this.isGone = true;
    this.watchdog.giveUp();
    if (this.isKnown) this.settle(stopped(this.conversation), { type: "all" });
  };

  private later(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, milliseconds);
    this.timers.add(timer);
  }
}

/** A notebook that draws an output again removes its views for a moment. */
const LINGER_MILLISECONDS = 2000;

/** Tells the kernel whether this page shows the panel: it looks for new messages of others only then. */
class Presence {
  private readonly page = newNonce();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private views = 0;
  private subscribed = false;

  constructor(private readonly send: (request: Request) => boolean) {
    document.addEventListener("visibilitychange", this.update);
  }

  /** So many views more or fewer are shown. */
  change(views: number): void {
    this.views += views;
    this.update();
  }

  dispose(): void {
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.update);
  }

  private readonly update = (): void => {
    clearTimeout(this.timer);
    // No timer is sure to run in a page that is hidden or being closed.
    if (document.hidden) this.subscribe(false);
    else if (this.views > 0) this.subscribe(true);
    else this.timer = setTimeout(() => this.subscribe(false), LINGER_MILLISECONDS);
  };

  private subscribe(shown: boolean): void {
    if (this.subscribed === shown) return;
    this.subscribed = shown;
    this.send({ type: shown ? "subscribe" : "unsubscribe", page: this.page });
  }
}

const SECONDS = 5;

export class KernelWatchdog {
  /** Whether the kernel has not answered for too long. */
  silent = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onTurn - Called when silence begins or ends. */
  constructor(private readonly onTurn: () => void) {}

  /** Whether the kernel has not answered a message yet. */
  get isWaiting(): boolean {
    return this.silent || this.timer !== undefined;
  }

  /** Expect a message. */
  wait(): void {
    this.timer ??= setTimeout(() => this.turn(true), SECONDS * 1000);
  }

  /** The message could not be sent. */
  giveUp(): void {
    this.turn(true);
  }

  /** A message has come. */
  received(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.turn(false);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private turn(silent: boolean): void {
    this.timer = undefined;
    if (this.silent === silent) return;
    this.silent = silent;
    this.onTurn();
  }
}
