// Markdown into the page as it streams: the last blocks are read again with each piece of text, and
// those before them stay as they are.
import { makeBlocks, type PageNode } from "./nodes";
import { narrow, type OpenBlock, type Reading, readFrom } from "./open_block";
import type { PagePart } from "./page";
import { parse, readDefinitions, type References } from "./parser";
import { decidedLength } from "./unfinished";

/** So short a text costs nothing to read again. */
const SHORT = 1000;
// A longer one is read again when it has grown by its share, and before that only as far as it takes
// no more than a share of the time: both keep the work linear. The page lays out the whole block.
const SHARE_OF_LENGTH = 1 / 16;
const SHARE_OF_TIME = 1 / 8;
const LAYOUT_MILLISECONDS = 1 / 200;
const LONGEST_WAIT = 100;

export class MarkdownWriter {
  /** The text from the first block on that may change. */
  private tail = "";
  /** The text before it, whose blocks are final, but for links that are defined later. */
  private final = "";
  private finalBlocks = 0;
  private open: OpenBlock | null = null;
  private readonly references: References = {};
  private fence: OpenFence | null = null;
  /** The space at the end, if the last text on the page ends in what is before it. */
  private unseenSpace: string | null = null;
  private carriageReturn = "";
  private isOver = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private nextReading = 0;
  private readLength = 0;

  constructor(private readonly part: PagePart) {}

  /** Whether everything was closed; such a writer takes no more text. */
  get ended(): boolean {
    return this.isOver;
  }

  write(text: string): void {
    if (!text) return;
    const whole = this.carriageReturn + text;
    this.carriageReturn = whole.endsWith("\r") ? "\r" : "";
    const added = withLineEnds(this.carriageReturn ? whole.slice(0, -1) : whole);
    this.tail += added;
    if (this.fence) this.writeCode(this.fence, added);
    else if (!this.growPlainly(added)) this.readSoon();
  }

  /** Show what was held back and close what is open. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.dispose();
    this.tail += withLineEnds(this.carriageReturn);
    const { parsed } = this.readTail(this.tail, false);
    if ((this.final || this.open) && parsed.hasDefinitions) this.showAll();
  }

  /** Read no more. */
  dispose(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Words that change nothing but the text before them need no parser. */
  private growPlainly(added: string): boolean {
    const isRead = this.readLength === this.tail.length - added.length;
    if (this.unseenSpace === null || !isRead || !WORDS.test(added) || ADDRESS.test(this.tail.slice(-added.length - 5))) return false;
    if (this.tail.length > SHORT && this.nextReading > performance.now()) return false;
    const text = this.unseenSpace + added;
    const seen = text.trimEnd();
    if (seen && !this.part.growText(seen)) return false;
    this.unseenSpace = text.slice(seen.length);
    this.readLength = this.tail.length;
    this.waitFor(0);
    return true;
  }

  private readSoon(): void {
    const waiting = this.nextReading - performance.now();
    const unread = this.tail.length - this.readLength;
    const isDue = waiting <= 0 || unread >= this.tail.length * SHARE_OF_LENGTH;
    if (this.tail.length <= SHORT || isDue) this.read();
    else this.timer ??= setTimeout(() => this.read(), waiting);
  }

  private read(): void {
    this.dispose();
    const begun = performance.now();
    const shown = this.tail.slice(0, decidedLength(this.tail));
    const reading = this.readTail(shown, true);
    const { text, parsed, blocks } = reading;
    // A block is final once the first line of another one is whole.
    const last = blocks.findLastIndex(({ line }) => text.includes("\n", parsed.indexOf(line)));
    const index = shown.length - text.length + parsed.indexOf(blocks[Math.max(0, last)]?.line ?? 0);
    if (last > 0 || (!this.open && index > 0)) this.makeFinal(Math.max(0, last), index);
    else if (blocks.length === 1) this.narrowTo(narrow(reading, this.references));
    if (blocks.length - Math.max(0, last) === 1) this.fence = OpenFence.of(this.tail, blocks.at(-1)?.node);
    this.readLength = this.tail.length;
    this.unseenSpace = isPlain(text) && shown.length === this.tail.length ? (/ *$/.exec(text)?.[0] ?? "") : null;
    this.waitFor(performance.now() - begun);
  }

  private waitFor(milliseconds: number): void {
    const waiting = Math.max(milliseconds / SHARE_OF_TIME, Math.min(LONGEST_WAIT, this.tail.length * LAYOUT_MILLISECONDS));
    this.nextReading = performance.now() + waiting;
  }

  /** Read and show the blocks that are not final. */
  private readTail(text: string, goesOn: boolean): Reading {
    const reading = readFrom(text, this.open, goesOn, this.references)
      ?? (readFrom(text, null, goesOn, this.references) as Reading);
    this.open = reading.open;
    this.part.show(reading.blocks.map(({ node }) => node), [this.finalBlocks, ...(this.open?.kept ?? [])]);
    return reading;
  }

  private narrowTo(open: OpenBlock | null): void {
    readDefinitions(this.tail.slice(this.open?.start ?? 0, open?.start ?? 0), this.references);
    this.open = open;
  }

  private makeFinal(blocks: number, index: number): void {
    const text = this.tail.slice(0, index);
    readDefinitions(text, this.references);
    this.final += text;
    this.finalBlocks += blocks;
    this.tail = this.tail.slice(index);
    this.open = null;
  }

  /** A definition of a link may come after its use. */
  private showAll(): void {
    const text = this.final + this.tail;
    this.part.show(makeBlocks(text, parse(text, false, {}), false).map(({ node }) => node), [0]);
  }

  private writeCode(fence: OpenFence, text: string): void {
    const shown = fence.take(text);
    if (shown) this.part.growCode(shown);
    if (!fence.isClosed) return;
    this.fence = null;
    this.read();
  }
}

const WORDS = /^[\p{L}\p{N} ,.;?'"()/%+-]*$/u;
const ADDRESS = /https?$|www\./i;

/** Whether a text that ends in words ends as its last text on the page does. */
function isPlain(text: string): boolean {
  return /[\p{L}\p{N},.;?] *$/u.test(text) && !/[[\]$\\<|&`]|(?::\/\/|www\.|@)\S*$/.test(text);
}

/** A fence that the text ends in: its lines need no parser until it closes. */
class OpenFence {
  isClosed = false;

  private constructor(
    /** The text after what is shown. */
    private held: string,
    private readonly closing: RegExp,
  ) {}

  /** The fence that a text begins with, if it is `node` and has code. */
  static of(text: string, node: PageNode | undefined): OpenFence | null {
    const opening = /^(`{3,}|~{3,})[^\n]*\n/.exec(text);
    if (!opening?.[1] || node?.type !== "code" || node.isClosed || !node.text) return null;
    const start = opening[0].length;
    if (!text.startsWith(node.text, start)) return null;
    const [mark, length] = [opening[1].charAt(0), opening[1].length];
    const closing = new RegExp(`\\n {0,3}${mark}{${length},}[ \\t]*\\n`);
    return new OpenFence(text.slice(start + node.text.length), closing);
  }

  /** Take the next text; returns the code that it adds. */
  take(text: string): string {
    this.held += text;
    this.isClosed = this.closing.test(this.held);
    if (this.isClosed) return "";
    // The last line end is not shown, and the line after it may close the fence.
    const lineEnd = this.held.lastIndexOf("\n");
    const mayClose = /^ {0,3}(?:[`~]+[ \t]*)?$/.test(this.held.slice(lineEnd + 1));
    const end = lineEnd >= 0 && mayClose ? lineEnd : this.held.length;
    const shown = this.held.slice(0, end);
    this.held = this.held.slice(end);
    return shown;
  }
}

function withLineEnds(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}
