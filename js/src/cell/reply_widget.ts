// The view of a reply while it streams: its Markdown, tool calls and reasoning above a status line.
import { isLive, type Phase, type Reply } from "./reply";
import { BlockPainter } from "../markdown/highlighting";
import { PagePart, TEXT_CLASSES } from "../markdown/page";
import { MarkdownWriter } from "../markdown/writer";
import { element } from "../widgets/html";
import { KeepInSight } from "../widgets/in_sight";
import { Reasoning, type Stage } from "../replies/reasoning";
import { mediaElement } from "../replies/media";
import { ToolCalls } from "../replies/tool_calls";
import type { ItemToolCall } from "../generated/tool_calls";
import { HeldHeight } from "./held_height";
import { StatusLine } from "./status_line";
import { StickToEdge } from "./sticky_position";

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
  private readonly media = element("div", "chatnb-media");
  private readonly calls: ToolCalls;
  private readonly painter: BlockPainter;
  private readonly line: StatusLine;
  private readonly sticky: StickToEdge;
  private readonly height = new HeldHeight(this.root);
  // Who reads from the top stays there; who scrolls to the end goes along with it.
  private readonly end = new KeepInSight(this.root, () => isLive(this.reply.phase), "scrolled to");
  private readonly unlisten: () => void;
  private writer: MarkdownWriter;

  constructor(private readonly reply: Reply) {
    this.painter = new BlockPainter(reply.renderers, () => reply.askForHighlighter());
    this.writer = this.newWriter();
    this.line = new StatusLine(reply);
    this.calls = new ToolCalls(
      (call, decision, reason) => reply.decide(call, decision, reason),
      (block, language) => this.painter.endCode(block, language),
    );
    this.text.setAttribute("role", "region");
    this.text.setAttribute("aria-live", "polite");
    this.text.setAttribute("aria-label", `Reply of ${reply.modelName || "the model"}`);
    const title = reply.isColumn ? [element("div", "chatnb-title", reply.modelName)] : [];
    this.root.append(...title, this.reasoning.root, this.text, this.media, this.calls.root, this.line.root);
    this.sticky = new StickToEdge(this.line.root, this.root);
    this.unlisten = reply.listen(this);
    this.reasoning.show(reply.reasoning, this.stage);
    this.append(reply.text);
    this.call(reply.calls);
    this.turn(reply.phase);
  }

  append(text: string): void {
    // A text that has ended was closed; only from the start can it become a longer one.
    if (this.writer.ended) return this.replace(this.reply.text, this.reply.reasoning);
    if (text) this.reasoning.end("answered");
    this.writer.write(text);
  }

  call(calls: readonly ItemToolCall[]): void {
    this.calls.show(calls);
  }

  think(text: string): void {
    this.reasoning.append(text, this.stage === "live");
  }

  replace(text: string, reasoning: string): void {
    this.reasoning.show(reasoning, this.stage);
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
    this.media.replaceChildren(...this.reply.media.map(mediaElement));
    this.reasoning.show(this.reply.reasoning, this.stage);
  }

  dispose(): void {
    this.unlisten();
    this.height.hold(this.end.followedIn);
    this.sticky.turn(false);
    this.end.dispose();
    this.line.dispose();
    this.writer.dispose();
    this.painter.dispose();
    this.root.remove();
  }

  private get stage(): Stage {
    const { text, phase, calls } = this.reply;
    if (text) return "answered";
    if (isLive(phase)) return "live";
    return calls.length ? "answered" : "alone";
  }

  private newWriter(): MarkdownWriter {
    return new MarkdownWriter(new PagePart(this.text, this.painter));
  }
}
