// A reply of the model: reasoning, streamed Markdown, tool calls and how it ended.
import { type BlockListener, TEXT_CLASSES } from "../../markdown/page";
import { MarkdownWriter } from "../../markdown/writer";
import { action } from "../../widgets/buttons";
import { CodeBlocks } from "./code_blocks";
import { Ending } from "./ending";
import { GroupedBlocks } from "./grouped_blocks";
import { MessageFooter } from "./message_footer";
import type { MessageContext, ItemView } from "./message_log";
import type { SliceQueue } from "../scrolling";
import { ReplyMedia } from "./reply_media";
import { ToolCalls } from "../../replies/tool_calls";
import type { Decision, Field, Item } from "../../generated/panel";
import { isOpen } from "../updates";
import { element } from "../../widgets/html";
import { Reasoning, type Stage } from "../../replies/reasoning";

export class ReplyView implements ItemView {
  readonly root = element("article", "chatnb-panel-item");
  private readonly reasoning = new Reasoning();
  private readonly text: StreamedText;
  private readonly media = new ReplyMedia();
  private readonly calls = new ToolCalls(
    (...decided) => this.decide(...decided),
    (block, language) => this.context.painter.endCode(block, language),
  );
  private readonly ending = new Ending(() => this.regenerate());
  private readonly footer: MessageFooter;
  private item: Item | null = null;

  constructor(private readonly context: MessageContext) {
    this.text = new StreamedText(context.slices, new CodeBlocks(context.painter, context.announcer));
    const regenerate = (): void => this.regenerate(this.footer.answer[0]);
    this.footer = new MessageFooter(context, action("regenerate", "Regenerate", regenerate));
    this.root.dataset.role = "ai";
    this.root.setAttribute("aria-label", "Answer");
    const parts = [this.reasoning, this.text, this.calls, this.media, this.ending, this.footer];
    this.root.append(...parts.map(({ root }) => root));
  }

  show(item: Item, busy: boolean, ends: boolean): void {
    this.item = item;
    const open = isOpen(item);
    this.root.dataset.status = item.status;
    this.reasoning.show(item.reasoning, stageOf(item), item.reasoning_seconds);
    this.text.root.hidden = !item.text;
    this.text.show(item.text, item.status === "streaming");
    this.media.show(item.attachments);
    this.calls.show(item.tool_calls);
    this.footer.show(item, busy, ends && !open);
    this.ending.show(item, this.context.panel.state.model, busy);
  }

  grow(field: Field, text: string): void {
    this.ending.clear();
    if (field === "reasoning") return this.reasoning.append(text, Boolean(this.text.root.hidden));
    if (this.text.root.hidden) this.beginText();
    this.text.append(text);
  }

  dispose(): void {
    this.text.dispose();
    this.ending.dispose();
    this.root.remove();
  }

  private beginText(): void {
    this.text.root.hidden = false;
    this.reasoning.end("answered");
  }

  private regenerate(from: Item | null | undefined = this.item): void {
    if (from) this.context.panel.send({ type: "regenerate", id: from.id });
    this.context.toComposer();
  }

  private decide(call: string, decision: Decision, reason: string): void {
    this.context.panel.send({ type: "decide", call, decision, reason });
    this.context.follow();
    const next = this.calls.root.querySelector<HTMLElement>(
      ".chatnb-panel-approval:not([data-decided]) button",
    );
    if (next) next.focus();
    else this.context.toComposer();
  }
}

/** More than this at a time is written in slices, for a conversation has many answers. */
const AT_ONCE = 200;
const SLICE = 2000;

export class StreamedText {
  readonly root = element("div", "chatnb-reply");
  private readonly text = element("div", TEXT_CLASSES);
  private writer: MarkdownWriter;
  /** The text to show, and how much of it is written. */
  private wanted = "";
  private written = 0;
  private open = true;

  constructor(
    private readonly slices: SliceQueue,
    private readonly listener: BlockListener,
  ) {
    this.writer = this.newWriter();
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
    this.write(text);
  }

  dispose(): void {
    this.slices.remove(this.step);
    this.writer.dispose();
  }

  private write(text: string): void {
    this.writer.write(text);
    this.written += text.length;
  }

  private reset(): void {
    this.dispose();
    this.text.replaceChildren();
    this.writer = this.newWriter();
    this.written = 0;
  }

  private newWriter(): MarkdownWriter {
    return new MarkdownWriter(new GroupedBlocks(this.text, this.listener));
  }

  private advance(): void {
    if (this.wanted.length - this.written > AT_ONCE) this.slices.add(this.step);
    else this.step();
  }

  private readonly step = (): boolean => {
    const end = Math.min(this.wanted.length, this.written + SLICE);
    if (end > this.written) this.write(this.wanted.slice(this.written, end));
    const more = end < this.wanted.length;
    if (!more && !this.open) this.writer.end();
    return more;
  };
}

function stageOf({ text, status, tool_calls, attachments }: Item): Stage {
  if (text) return "answered";
  if (status === "streaming") return "live";
  return tool_calls.length || attachments.length ? "answered" : "alone";
}
