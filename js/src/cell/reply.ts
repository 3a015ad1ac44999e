// A reply as one widget model knows it: reading of its messages, its text, clock and listeners.
import type { Delta, ReplyViewTraits, Request, Snapshot } from "../generated/cell";
import type { GetHighlighter, Highlighter } from "../generated/widgets";
import { findRenderers, type Renderers } from "../markdown/host";
import { receiveHighlighter } from "../markdown/highlighting";
import { CALL_STATES, type Decide, type ItemToolCall } from "../generated/tool_calls";
import { isRecord, oneOf, readList, readNumber, readString } from "../widgets/base";
import { interrupt, isLost, type KernelConnection, kernelOf, withoutKernel } from "../widgets/kernel";
import { Resync } from "../widgets/resync";
import { TokenRate } from "../replies/token_rate";

export interface ReplyListener {
  /** The text grew by `text`. */
  append(text: string): void;
  /** The reasoning grew by `text`. */
  think(text: string): void;
  /** The text and the reasoning are others now. */
  replace(text: string, reasoning: string): void;
  /** The phase has changed. */
  turn(phase: Phase): void;
  /** The tool calls have changed. */
  call?(calls: readonly ItemToolCall[]): void;
}

const LIVE: readonly Phase[] = ["waiting", "streaming", "stopping"];

export function isLive(phase: Phase): boolean {
  return LIVE.includes(phase);
}

export class Reply {
  private state: ReplyState;
  private readonly listeners = new Set<ReplyListener>();
  private startedAt = performance.now();
  private endedAt: number | null = null;
  private readonly rate = new TokenRate();
  private asked = false;
  private readonly resync = new Resync(() => this.send({ type: "resync" }));
  private kernelIsGone = false;
  private readonly handlers: [name: string, handler: (value: unknown) => void][];

  /** @param isColumn - Whether it stands beside others, under its name, and stops with them. */
  constructor(
    private readonly model: ReplyModel,
    readonly isColumn = false,
  ) {
    const snapshot = readSnapshot(model.get("snapshot"));
    this.state = startState(snapshot);
    this.setClock(snapshot);
    this.handlers = [
      ["msg:custom", this.onMessage],
      ["change:snapshot", this.takeSnapshot],
      ["change:phase", this.turn],
      ["change:note", this.turn],
      ["change:calls", this.call],
    ];
    for (const handler of this.handlers) model.on(...handler);
    this.kernel?.statusChanged?.connect(this.checkKernel);
    // A page that is loaded in mid-reply has missed the deltas since the last snapshot.
    if (readPhase(model.get("phase")) === "streaming") this.resync.request();
  }

  get text(): string {
    return this.state.text;
  }

  get reasoning(): string {
    return this.state.reasoning;
  }

  get phase(): Phase {
    const phase = readPhase(this.model.get("phase"));
    return this.kernelIsGone && isLive(phase) ? "gone" : phase;
  }

  get modelName(): string {
    return String(this.model.get("model_name") ?? "");
  }

  /** The facts of a reply that has ended, where the live view stays for others beside it. */
  get footer(): string {
    return String(this.model.get("footer") ?? "");
  }

  /** What there is to say while the reply is waited for. */
  get note(): string {
    return this.phase === "waiting" ? String(this.model.get("note") ?? "") : "";
  }

  /** The notebook's own renderers. */
  get renderers(): Renderers | null {
    return findRenderers(this.model);
  }

  get seconds(): number {
    return ((this.endedAt ?? performance.now()) - this.startedAt) / 1000;
  }

  private get length(): number {
    return this.text.length + this.reasoning.length;
  }

  /** Tokens a second, about, once they have come for a second; none come while a tool is at work. */
  get speed(): number | null {
    const isStreaming = this.phase === "streaming" && !this.calls.some(({ state }) => state === "asking" || state === "running");
    const speed = isStreaming ? Math.round(this.rate.perSecond ?? 0) : 0;
    return speed < 1 ? null : speed;
  }

  /** Tell `listener` what happens from now on; call the result to stop that. */
  listen(listener: ReplyListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** JupyterLite's page cannot reach a cell that runs. */
  get canStop(): boolean {
    return this.model.get("stop_with") !== "nothing";
  }

  /** Stop the turn, by a message or by an interrupt of the kernel. */
  async stop(): Promise<void> {
    if (this.model.get("stop_with") === "interrupt" && (await interrupt(this.kernel))) return;
    this.send({ type: "stop" });
  }

  get calls(): ItemToolCall[] {
    const calls = readList(this.model.get("calls"), readCall);
    return this.phase === "gone" ? calls.map(withoutKernel) : calls;
  }

  /** The addresses of its pictures and sounds, which hold their data. */
  get media(): string[] {
    return readList(this.model.get("media"), readMedia);
  }

  decide(call: string, decision: Decide["decision"], reason: string): void {
    this.send({ type: "decide", call, decision, reason });
  }

  askForHighlighter(): void {
    if (this.asked) return;
    this.asked = true;
    this.send({ type: "get_highlighter" });
  }

  dispose(): void {
    for (const handler of this.handlers) this.model.off(...handler);
    this.kernel?.statusChanged?.disconnect(this.checkKernel);
    this.listeners.clear();
    this.resync.stop();
  }

  private get kernel(): KernelConnection | null {
    return kernelOf(this.model);
  }

  private readonly checkKernel = (): void => {
    if (this.kernelIsGone || !isLost(this.kernel)) return;
    this.kernelIsGone = true;
    this.resync.stop();
    this.turn();
    this.call();
  };

  private send(message: Request | GetHighlighter): void {
    this.model.send(message);
  }

  private readonly onMessage = (content: unknown): void => {
    const message = readMessage(content);
    if (message?.type === "delta") this.step(message);
    if (message?.type === "highlighter") void receiveHighlighter(message.source);
  };

  private readonly takeSnapshot = (): void => {
    const snapshot = readSnapshot(this.model.get("snapshot"));
    this.setClock(snapshot);
    this.step({ type: "snapshot", ...snapshot });
  };

  /** A page that was loaded in mid-reply does not know when it began. */
  private setClock({ seconds = 0 }: Snapshot): void {
    this.startedAt = Math.min(this.startedAt, performance.now() - seconds * 1000);
  }

  private readonly turn = (): void => {
    const phase = this.phase;
    this.endedAt = isLive(phase) ? null : (this.endedAt ?? performance.now());
    for (const listener of this.listeners) listener.turn(phase);
  };

  private readonly call = (): void => {
    const calls = this.calls;
    for (const listener of this.listeners) listener.call?.(calls);
  };

  private step(event: ReplyEvent): void {
    const before = this.length;
    const [state, effect] = fold(this.state, event);
    this.state = state;
    if (event.type === "delta" || this.rate.hasBegun) this.rate.add(this.length - before);
    if (!state.gapped) this.resync.stop();
    this.act(effect);
  }

  private act(effect: Effect): void {
    if (effect.type === "resync") this.resync.request();
    for (const listener of this.listeners) {
      if (effect.type === "append" && effect.reasoning) listener.think(effect.reasoning);
      if (effect.type === "append" && effect.text) listener.append(effect.text);
      if (effect.type === "replace") listener.replace(effect.text, effect.reasoning);
    }
  }
}

/** The text so far; `gapped` from a missed delta until a snapshot closes the gap. */
export interface ReplyState {
  readonly seq: number;
  readonly text: string;
  readonly reasoning: string;
  readonly gapped: boolean;
}

export type ReplyEvent = Delta | (Snapshot & { type: "snapshot" });

/** The effect of an event: append, replace, or ask the kernel for a snapshot. */
export type Effect =
  | { type: "none" }
  | { type: "append" | "replace"; text: string; reasoning: string }
  | { type: "resync" };

export type Step = readonly [ReplyState, Effect];

const NONE: Effect = { type: "none" };

export function startState(snapshot: Snapshot): ReplyState {
  return { seq: snapshot.seq, text: snapshot.text, reasoning: snapshot.reasoning ?? "", gapped: false };
}

export function fold(state: ReplyState, event: ReplyEvent): Step {
  if (event.seq <= state.seq) return [state, NONE];
  return event.type === "delta" ? foldDelta(state, event) : foldSnapshot(state, event);
}

function foldDelta(state: ReplyState, delta: Snapshot): Step {
  if (delta.seq === state.seq + 1) {
    const { seq, text, reasoning = "" } = delta;
    const next = { seq, text: state.text + text, reasoning: state.reasoning + reasoning, gapped: false };
    return [next, { type: "append", text, reasoning }];
  }
  if (state.gapped) return [state, NONE];
  return [{ ...state, gapped: true }, { type: "resync" }];
}

function foldSnapshot(state: ReplyState, snapshot: Snapshot): Step {
  const next = startState(snapshot);
  const { text, reasoning } = next;
  if (!text.startsWith(state.text) || !reasoning.startsWith(state.reasoning)) {
    return [next, { type: "replace", text, reasoning }];
  }
  const grown = { text: text.slice(state.text.length), reasoning: reasoning.slice(state.reasoning.length) };
  return [next, { type: "append", ...grown }];
}

export const PHASES = ["waiting", "streaming", "stopping", "done", "stopped", "failed"] as const;
/** The kernel says all but the last, of which it cannot tell. */
export type Phase = (typeof PHASES)[number] | "gone";

/** The part of a widget's model that a reply needs. */
export interface ReplyModel {
  readonly widget_manager: unknown;
  get(name: keyof ReplyViewTraits): unknown;
  on(name: string, handler: (value?: any) => void): void;
  off(name: string, handler: (value?: any) => void): void;
  send(message: unknown): void;
}

/** A message of the kernel, or null for what this view does not know. */
export function readMessage(content: unknown): Delta | Highlighter | null {
  if (!isRecord(content)) return null;
  const { type, seq, text, source } = content;
  if (type === "delta" && typeof seq === "number" && typeof text === "string") {
    return { type, seq, text, reasoning: readString(content.reasoning) };
  }
  if (type === "highlighter" && typeof source === "string") return { type, source };
  return null;
}

/** The value of the snapshot trait, or the empty reply if it is not one. */
export function readSnapshot(value: unknown): Snapshot {
  if (isRecord(value) && typeof value.seq === "number" && typeof value.text === "string") {
    const [reasoning, seconds] = [readString(value.reasoning), readNumber(value.seconds) ?? 0];
    return { seq: value.seq, text: value.text, reasoning, seconds };
  }
  return { seq: 0, text: "" };
}

function readMedia(value: unknown): string | null {
  return String(value).startsWith("data:") ? String(value) : null;
}

function readCall(value: unknown): ItemToolCall | null {
  const state = isRecord(value) ? oneOf(CALL_STATES, value.state) : undefined;
  if (!isRecord(value) || !state || !readString(value.id)) return null;
  const [id, name, given, result] = [value.id, value.name, value.arguments, value.result].map(readString);
  return { id: id ?? "", name: name ?? "", arguments: given ?? "", state, result: result ?? "" };
}

/** The value of the phase trait. */
export function readPhase(value: unknown): Phase {
  return PHASES.find((phase) => phase === value) ?? "streaming";
}
