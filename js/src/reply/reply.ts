// A reply as one widget model knows it: its text, its clock, and the views that show it.
import { type Effect, fold, type ReplyEvent, type ReplyState, startState } from "./fold";
import { receiveHighlighter } from "../markdown/highlighting";
import { type Phase, readMessage, readPhase, readSnapshot } from "./messages";
import type { ReplyModel, ToKernel } from "./messages";

export interface ReplyListener {
  /** The text grew by `text`. */
  append(text: string): void;
  /** The text is another one now. */
  replace(text: string): void;
  /** The phase has changed. */
  turn(phase: Phase): void;
}

const LIVE: readonly Phase[] = ["waiting", "streaming", "stopping"];

export function isLive(phase: Phase): boolean {
  return LIVE.includes(phase);
}

export class Reply {
  private state: ReplyState;
  private readonly listeners = new Set<ReplyListener>();
  private readonly startedAt = performance.now();
  private endedAt: number | null = null;
  private asked = false;

  constructor(private readonly model: ReplyModel) {
    this.state = startState(readSnapshot(model.get("snapshot")));
    model.on("msg:custom", this.hear);
    model.on("change:snapshot", this.takeSnapshot);
    model.on("change:phase", this.turn);
  }

  get text(): string {
    return this.state.text;
  }

  get phase(): Phase {
    return readPhase(this.model.get("phase"));
  }

  get modelName(): string {
    return String(this.model.get("model_name") ?? "");
  }

  get stopsAll(): boolean {
    return this.model.get("stops_all") === true;
  }

  get seconds(): number {
    return ((this.endedAt ?? performance.now()) - this.startedAt) / 1000;
  }

  /** Tell `listener` what happens from now on; call the result to stop that. */
  listen(listener: ReplyListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Stop the turn in the way in which this kernel can hear it. */
  async stop(): Promise<void> {
    if (this.model.get("stop_with") === "interrupt" && (await this.interrupt())) return;
    this.send({ kind: "stop" });
  }

  askForHighlighter(): void {
    if (this.asked) return;
    this.asked = true;
    this.send({ kind: "highlighter" });
  }

  dispose(): void {
    this.model.off("msg:custom", this.hear);
    this.model.off("change:snapshot", this.takeSnapshot);
    this.model.off("change:phase", this.turn);
    this.listeners.clear();
  }

  /** Only JupyterLab's widget manager knows its kernel; elsewhere the answer is false. */
  private async interrupt(): Promise<boolean> {
    const manager = this.model.widget_manager as { kernel?: KernelConnection | null } | undefined;
    const kernel = manager?.kernel;
    if (!kernel) return false;
    try {
      await kernel.interrupt();
      return true;
    } catch {
      return false;
    }
  }

  private send(message: ToKernel): void {
    this.model.send(message);
  }

  private readonly hear = (content: unknown): void => {
    const message = readMessage(content);
    if (message?.kind === "delta") this.step(message);
    if (message?.kind === "highlighter") void receiveHighlighter(message.source);
  };

  private readonly takeSnapshot = (): void => {
    this.step({ kind: "snapshot", ...readSnapshot(this.model.get("snapshot")) });
  };

  private readonly turn = (): void => {
    const phase = this.phase;
    this.endedAt = isLive(phase) ? null : (this.endedAt ?? performance.now());
    for (const listener of this.listeners) listener.turn(phase);
  };

  private step(event: ReplyEvent): void {
    const [state, effect] = fold(this.state, event);
    this.state = state;
    this.act(effect);
  }

  private act(effect: Effect): void {
    if (effect.kind === "resync") this.send({ kind: "resync" });
    if (effect.kind === "append" && effect.text) {
      for (const listener of this.listeners) listener.append(effect.text);
    }
    if (effect.kind === "replace") {
      for (const listener of this.listeners) listener.replace(effect.text);
    }
  }
}

interface KernelConnection {
  interrupt(): Promise<void>;
}
