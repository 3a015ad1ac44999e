// Markdown into DOM, appended as it streams: streaming-markdown's parser, with its misreadings put
// right before it sees them. It knows no literal underscore inside a word, no formula on one line,
// and no end to a formula or a link's address that nobody closes.
import * as smd from "streaming-markdown";
import { isBalanced } from "./links";
import { CLOSING_PARENTHESIS, type CodeListener, Renderer } from "./renderer";

// The parser's own arrays hold 24 levels and lose track beyond that.
const PARSER_LEVELS = 1024;
const VERBATIM: readonly number[] = [
  smd.CODE_BLOCK, smd.CODE_FENCE, smd.CODE_INLINE, smd.EQUATION_BLOCK, smd.EQUATION_INLINE,
  smd.IMAGE, smd.RAW_URL,
];

export class MarkdownWriter {
  private readonly parser: smd.Parser;
  private readonly renderer: Renderer;
  /** The first half of a surrogate pair whose second half has not come. */
  private half = "";
  /** Underscores that end emphasis or belong to a word: the next character tells. */
  private underscores = "";
  /** The last two characters. */
  private previous = "";
  private isOver = false;

  constructor(root: Element, onCode: CodeListener) {
    this.renderer = new Renderer(root, onCode, () => this.parser.pending);
    this.parser = smd.parser(this.renderer);
    this.parser.tokens = new Uint32Array(PARSER_LEVELS);
    this.parser.tokens[0] = smd.DOCUMENT;
    this.parser.spaces = new Uint8Array(PARSER_LEVELS);
  }

  /** Whether everything was closed; such a writer takes no more text. */
  get ended(): boolean {
    return this.isOver;
  }

  write(text: string): void {
    const whole = (this.half + text).replaceAll("\r", "");
    this.half = /[\uD800-\uDBFF]$/.exec(whole)?.[0] ?? "";
    for (const char of whole.slice(0, whole.length - this.half.length)) this.step(char);
    this.renderer.flush();
  }

  /** Show what was held back and close what is open. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.half) this.step(this.half);
    this.feed(this.underscores);
    if (this.isInAddress) this.cut(")");
    smd.parser_end(this.parser);
    this.renderer.end();
  }

  private step(char: string): void {
    if (this.holdUnderscore(char)) return;
    if (char !== "\n" || !this.endLine()) this.feed(this.escaped(char));
    // The parser takes "$$" and "\[" for a formula only at the end of a line.
    if (this.parser.token === smd.MAYBE_EQ_BLOCK) this.feed("\n");
    this.previous = this.previous.slice(-1) + char;
  }

  /** The innermost token that is open, whatever the parser is just considering. */
  private get openToken(): number {
    return this.parser.tokens[this.parser.len] ?? smd.DOCUMENT;
  }

  private get isInAddress(): boolean {
    const { token, pending } = this.parser;
    return (token === smd.LINK || token === smd.IMAGE) && pending.startsWith("](");
  }

  /** Whether a parenthesis that closes now was opened inside the address. */
  private get isInnerParenthesis(): boolean {
    const address = this.parser.pending.slice(2).replaceAll(CLOSING_PARENTHESIS, ")");
    return isBalanced(`${address})`);
  }

  private get isVerbatim(): boolean {
    return VERBATIM.includes(this.openToken) || this.isInAddress || this.parser.pending[0] === "`";
  }

  /** An underscore with a letter on both sides is a letter. */
  private holdUnderscore(char: string): boolean {
    if (this.underscores) {
      if (char === "_") {
        this.underscores += char;
        return true;
      }
      this.feed(isWord(char) ? this.underscores.replaceAll("_", "\\_") : this.underscores);
      this.previous = "_";
      this.underscores = "";
    }
    if (char !== "_" || !isWord(this.previous) || this.isVerbatim) return false;
    this.underscores = char;
    return true;
  }

  private escaped(char: string): string {
    const isInner = char === ")" && this.isInAddress && this.isInnerParenthesis;
    return isInner ? CLOSING_PARENTHESIS : char;
  }

  /** End what does not go on beyond a line; say whether the parser has had the line's end. */
  private endLine(): boolean {
    const { token, pending } = this.parser;
    this.renderer.breaksLine = /( {2}|\\)$/.test(this.previous);
    if (this.isInAddress) this.cut(")");
    else if (token === smd.EQUATION_BLOCK && pending === "\n") this.cut("$$", "\n");
    else if (token === smd.EQUATION_INLINE && pending !== "$") return this.cut("$", "\n");
    else if (token === smd.IMAGE && pending !== "]") return this.cut("]", "\n");
    return false;
  }

  /** Make the parser end the open token although its end never came. */
  private cut(...ends: string[]): true {
    this.renderer.cutting = true;
    for (const end of ends) this.feed(end);
    this.renderer.cutting = false;
    return true;
  }

  private feed(text: string): void {
    if (text) smd.parser_write(this.parser, text);
  }
}

/** Whether the text ends with a letter or digit. */
function isWord(text: string): boolean {
  return /[\p{L}\p{N}]$/u.test(text);
}
