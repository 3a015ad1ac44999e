// The view of a reply while it streams: its Markdown, a status line and a Stop button.
import { isLive, type Phase, type Reply } from "./reply";
import { BlockPainter } from "../markdown/highlighting";
import { TEXT_CLASSES } from "../markdown/page";
import { MarkdownWriter } from "../markdown/writer";
import { drawing, element, setText } from "../widgets/html";
import { KeepInSight } from "../widgets/in_sight";
import { Reasoning } from "../widgets/reasoning";
import { ToolCalls } from "../widgets/tool_calls";
import type { ItemToolCall } from "../generated/tool_calls";
import { HeldHeight } from "./held_height";
import { StickToEdge } from "./sticky_line";

/** Show `reply` in `el`; the result removes it. */
export function showReply(reply: Reply, el: HTMLElement): () => void {
  const view = new ReplyView(reply);
  el.append(view.root);
  return () => view.dispose();
}

class ReplyView {
  readonly root = element("div", "chatnb-reply");
  private readonly text = element("div", TEXT_CLASSES);
  private readonly reasoning = new Reasoning();
  private readonly calls: ToolCalls;
  private readonly painter: BlockPainter;
  private readonly line: QuietLine;
  private readonly sticky: StickToEdge;
  private readonly height = new HeldHeight(this.root);
  // Who reads from the top stays there; who scrolls to the end goes along with it.
  private readonly end = new KeepInSight(this.root, () => isLive(this.reply.phase), "scrolled to");
  private readonly unlisten: () => void;
  private writer: MarkdownWriter;

  constructor(private readonly reply: Reply) {
    this.painter = new BlockPainter(reply.renderers, () => reply.askForHighlighter());
    this.writer = this.newWriter();
    this.line = new QuietLine(reply);
    this.calls = new ToolCalls(
      (call, decision, reason) => reply.decide(call, decision, reason),
      (block, language) => this.painter.endCode(block, language),
    );
    this.text.setAttribute("role", "region");
    this.text.setAttribute("aria-live", "polite");
    this.text.setAttribute("aria-label", `Reply of ${reply.modelName || "the model"}`);
    const title = reply.isColumn ? [element("div", "chatnb-title", reply.modelName)] : [];
    this.root.append(...title, this.reasoning.root, this.text, this.calls.root, this.line.root);
    this.sticky = new StickToEdge(this.line.root, this.root);
    this.unlisten = reply.listen(this);
    this.reasoning.show(reply.reasoning, isLive(reply.phase) && !reply.text);
    this.append(reply.text);
    this.call(reply.calls);
    this.turn(reply.phase);
  }

  append(text: string): void {
    // A text that has ended was closed; only from the start can it become a longer one.
    if (this.writer.ended) return this.replace(this.reply.text, this.reply.reasoning);
    if (text) this.reasoning.end();
    this.writer.write(text);
  }

  call(calls: readonly ItemToolCall[]): void {
    this.calls.show(calls);
  }

  think(text: string): void {
    this.reasoning.append(text, isLive(this.reply.phase) && !this.reply.text);
  }

  replace(text: string, reasoning: string): void {
    this.reasoning.show(reasoning, isLive(this.reply.phase) && !text);
    this.painter.dispose();
    this.writer.dispose();
    this.text.replaceChildren();
    this.writer = this.newWriter();
    this.writer.write(text);
    if (!isLive(this.reply.phase)) this.writer.end();
  }

  turn(phase: Phase): void {
    this.root.dataset.phase = phase;
    // While it is busy, screen readers wait instead of reading every piece.
    this.text.setAttribute("aria-busy", String(isLive(phase)));
    this.line.turn(phase);
    this.sticky.turn(isLive(phase));
    if (isLive(phase)) return;
    this.writer.end();
    this.reasoning.end();
  }

  dispose(): void {
    this.unlisten();
    this.height.hold();
    this.sticky.turn(false);
    this.end.dispose();
    this.line.dispose();
    this.writer.dispose();
    this.painter.dispose();
    this.root.remove();
  }

  private newWriter(): MarkdownWriter {
    return new MarkdownWriter(this.text, this.painter);
  }
}

const TICK_MILLISECONDS = 100;
const SQUARE = "M2 0 H10 A2 2 0 0 1 12 2 V10 A2 2 0 0 1 10 12 H2 A2 2 0 0 1 0 10 V2 A2 2 0 0 1 2 0 Z";
const OUTCOMES: Partial<Record<Phase, string>> = {
  stopped: "Stopped",
  failed: "Broke off",
  gone: "Broke off: the kernel is gone. %chat resume goes on",
};
const OUTCOMES_WITHOUT_REPLY: Partial<Record<Phase, string>> = {
  stopped: "Stopped before anything arrived",
  failed: "Nothing arrived",
  gone: "Nothing arrived: the kernel is gone. Run the cell again",
};

export class QuietLine {
  readonly root = element("div", "chatnb-line");
  private readonly status = element("span", "chatnb-status");
  private readonly clock = element("span", "chatnb-clock");
  private readonly button = new StopButton(() => void this.reply.stop());
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly reply: Reply) {
    this.status.setAttribute("role", "status");
    this.clock.setAttribute("role", "timer");
    if (reply.isColumn) this.button.stopsAll();
    this.root.append(this.status, this.clock, this.button.root);
  }

  turn(phase: Phase): void {
    this.status.textContent = (!isLive(phase) && this.reply.footer) || statusOf(phase, this.reply);
    const isRunning = phase === "waiting" || phase === "streaming";
    this.button.root.hidden = !isRunning || !this.reply.canStop;
    this.tick();
    clearInterval(this.timer);
    if (isLive(phase)) this.timer = setInterval(this.tick, TICK_MILLISECONDS);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.root.remove();
  }

  private readonly tick = (): void => {
    setText(this.clock, clockOf(this.reply));
  };
}

/** The time of a reply, and its speed as far as a page can tell it. */
function clockOf({ phase, seconds, speed, footer, note }: Reply): string {
  if (note) return "";
  if (!isLive(phase)) return footer ? "" : ` · ${seconds.toFixed(1)} s`;
  const time = seconds >= 1 ? ` · ${Math.floor(seconds)} s` : "";
  return speed === null ? time : ` · ${speed} tokens/s${time}`;
}

function statusOf(phase: Phase, { modelName, note, text, reasoning }: Reply): string {
  const name = modelName || "the model";
  if (note) return `${name}: ${note}`;
  if (phase === "waiting") return `Waiting for ${name}…`;
  if (phase === "stopping") return `Stopping ${name}…`;
  const outcome = (text || reasoning ? OUTCOMES : OUTCOMES_WITHOUT_REPLY)[phase];
  return outcome ? `${outcome} · ${name}` : name;
}

class StopButton {
  readonly root = element("button", "chatnb-stop");
  private readonly label = element("span");

  constructor(onPress: () => void) {
    this.root.type = "button";
    this.root.setAttribute("aria-label", "Stop the reply");
    this.label.textContent = "Stop";
    this.root.append(drawing(SQUARE, "chatnb-icon"), this.label);
    this.root.addEventListener("click", () => {
      this.root.disabled = true;
      this.root.setAttribute("aria-label", "Stopping the reply");
      this.label.textContent = "Stopping…";
      onPress();
    });
  }

  /** Say that it stops the replies beside this one, too. */
  stopsAll(): void {
    this.root.setAttribute("aria-label", "Stop all replies");
    this.label.textContent = "Stop all";
  }
}
