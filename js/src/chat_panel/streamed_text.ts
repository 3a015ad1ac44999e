// The Markdown of an answer, which grows by what is new. What is much comes in slices.
import type { CodeListener } from "../markdown/renderer";
import { MarkdownWriter } from "../markdown/writer";
import { element } from "../view/elements";
import type { Slices } from "./slices";

/** More than this at a time is written in slices, for a conversation has many answers. */
const AT_ONCE = 200;
const SLICE = 2000;

export class StreamedText {
  readonly root = element("div", "chatnb-reply");
  private readonly text = element("div", "chatnb-text jp-RenderedHTMLCommon jp-RenderedMarkdown");
  private writer: MarkdownWriter;
  /** What is to be shown, and how much of it is. */
  private wanted = "";
  private written = 0;
  private open = true;

  constructor(
    private readonly slices: Slices,
    private readonly onCode: CodeListener,
  ) {
    this.writer = new MarkdownWriter(this.text, onCode);
    this.root.append(this.text);
  }

  /** The text is this one now; `open` says whether it goes on. */
  show(text: string, open: boolean): void {
    const goesOn = text.startsWith(this.wanted) && !(this.writer.ended && text !== this.wanted);
    if (!goesOn) this.reset();
    this.wanted = text;
    this.open = open;
    this.root.dataset.phase = open ? "streaming" : "done";
    this.advance();
  }

  append(text: string): void {
    if (this.writer.ended) return this.show(this.wanted + text, true);
    const isBehind = this.written < this.wanted.length;
    this.wanted += text;
    if (isBehind || text.length > SLICE) return this.advance();
    // Cutting it from the whole would cost more the longer that is.
    this.writer.write(text);
    this.written += text.length;
  }

  dispose(): void {
    this.slices.remove(this.step);
  }

  private reset(): void {
    this.slices.remove(this.step);
    this.text.replaceChildren();
    this.writer = new MarkdownWriter(this.text, this.onCode);
    this.written = 0;
  }

  private advance(): void {
    if (this.wanted.length - this.written > AT_ONCE) this.slices.add(this.step);
    else this.step();
  }

  private readonly step = (): boolean => {
    const end = Math.min(this.wanted.length, this.written + SLICE);
    if (end > this.written) this.writer.write(this.wanted.slice(this.written, end));
    this.written = end;
    const more = end < this.wanted.length;
    if (!more && !this.open) this.writer.end();
    return more;
  };
}
