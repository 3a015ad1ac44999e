// One view of a reply: its text as Markdown and the quiet line under it.
import { element } from "../view/elements";
import { CodePainter } from "../markdown/highlighting";
import { QuietLine } from "./line";
import { MarkdownWriter } from "../markdown/writer";
import type { Phase } from "./messages";
import { isLive, type Reply } from "./reply";

/** Show `reply` in `el`; call the result to take it away. */
export function showReply(reply: Reply, el: HTMLElement): () => void {
  const view = new ReplyView(reply);
  el.append(view.root);
  return () => view.dispose();
}

class ReplyView {
  readonly root = element("div", "chatnb-reply");
  private readonly text = element("div", "chatnb-text jp-RenderedHTMLCommon jp-RenderedMarkdown");
  private readonly painter: CodePainter;
  private readonly line: QuietLine;
  private readonly unlisten: () => void;
  private writer: MarkdownWriter;

  constructor(private readonly reply: Reply) {
    this.painter = new CodePainter(() => reply.askForHighlighter());
    this.writer = this.newWriter();
    this.line = new QuietLine(reply);
    this.text.setAttribute("role", "region");
    this.text.setAttribute("aria-live", "polite");
    this.text.setAttribute("aria-label", `Reply of ${reply.modelName || "the model"}`);
    this.root.append(this.text, this.line.root);
    this.unlisten = reply.listen(this);
    this.append(reply.text);
    this.turn(reply.phase);
  }

  append(text: string): void {
    // A text that has ended was closed; only from the start can it become a longer one.
    if (this.writer.ended) return this.replace(this.reply.text);
    this.writer.write(text);
  }

  replace(text: string): void {
    this.painter.dispose();
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
    if (!isLive(phase)) this.writer.end();
  }

  dispose(): void {
    this.unlisten();
    this.line.dispose();
    this.painter.dispose();
    this.root.remove();
  }

  private newWriter(): MarkdownWriter {
    return new MarkdownWriter(this.text, this.painter);
  }
}
