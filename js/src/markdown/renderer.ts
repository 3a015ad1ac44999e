// The parser's tokens as DOM nodes, appended one by one. Text gets in as text nodes only, a link
// only with an address that links.ts lets pass, and images not at all.
import * as smd from "streaming-markdown";
import { appendCode, appendText, element } from "../view/elements";
import { readDestination, safeHref, splitBareUrl } from "./links";

/** Told of blocks of code. */
export interface CodeListener {
  /** A block begins; `pre` is in the page. */
  begin?(pre: HTMLElement): void;
  /** A block is whole; the language is empty where none was named. */
  end(block: HTMLElement, language: string): void;
}

/** Stands for a parenthesis inside a link's address, which the parser takes for the end of it. */
export const CLOSING_PARENTHESIS = "\uFFFF";

// Elements nested deeper than this would overflow the browser's own recursion.
const DEEPEST = 48;
const TAGS: Partial<Record<number, keyof HTMLElementTagNameMap>> = {
  [smd.PARAGRAPH]: "p",
  [smd.HEADING_1]: "h1",
  [smd.HEADING_2]: "h2",
  [smd.HEADING_3]: "h3",
  [smd.HEADING_4]: "h4",
  [smd.HEADING_5]: "h5",
  [smd.HEADING_6]: "h6",
  [smd.CODE_BLOCK]: "code",
  [smd.CODE_FENCE]: "code",
  [smd.CODE_INLINE]: "code",
  [smd.ITALIC_AST]: "em",
  [smd.ITALIC_UND]: "em",
  [smd.STRONG_AST]: "strong",
  [smd.STRONG_UND]: "strong",
  [smd.STRIKE]: "del",
  [smd.LINK]: "a",
  [smd.RAW_URL]: "a",
  [smd.IMAGE]: "a",
  [smd.BLOCKQUOTE]: "blockquote",
  [smd.LINE_BREAK]: "br",
  [smd.RULE]: "hr",
  [smd.LIST_UNORDERED]: "ul",
  [smd.LIST_ORDERED]: "ol",
  [smd.LIST_ITEM]: "li",
  [smd.CHECKBOX]: "input",
  [smd.TABLE]: "table",
  [smd.TABLE_ROW]: "tr",
};
const CLASSES: Partial<Record<number, string>> = {
  [smd.IMAGE]: "chatnb-image",
  [smd.EQUATION_BLOCK]: "chatnb-formula chatnb-formula-block",
  [smd.EQUATION_INLINE]: "chatnb-formula",
};
/** What opens a token, to be shown as it is if nothing closes the token. */
const OPENERS: Partial<Record<number, string>> = {
  [smd.ITALIC_AST]: "*",
  [smd.ITALIC_UND]: "_",
  [smd.STRONG_AST]: "**",
  [smd.STRONG_UND]: "__",
  [smd.STRIKE]: "~~",
  [smd.CODE_INLINE]: "`",
  [smd.LINK]: "[",
  [smd.IMAGE]: "![",
};

/** A token that is open. */
interface Frame {
  readonly token: number;
  readonly node: Element;
  readonly opener: string;
  /** Too deep for an element of its own: `node` is its parent's. */
  readonly isFlat: boolean;
  /** A link or image: what stands in its parentheses. */
  address?: string;
  /** A code block: the line after the fence's opening marks. */
  info?: string;
}

export class Renderer implements smd.Renderer<null> {
  readonly data = null;
  /** Whether a token that ends now was left open by the text. */
  cutting = false;
  /** Whether the last line's end asked for a break. */
  breaksLine = false;
  private readonly frames: Frame[];
  private text = "";

  /** @param pending - The characters the parser has in hand. */
  constructor(
    root: Element,
    private readonly onCode: CodeListener,
    private readonly pending: () => string,
  ) {
    this.frames = [{ token: smd.DOCUMENT, node: root, opener: "", isFlat: false }];
  }

  add_text(_data: null, text: string): void {
    this.text += text;
  }

  add_token(_data: null, token: smd.Token): void {
    this.flush();
    if (token === smd.DOCUMENT) return;
    const isSoft = token === smd.LINE_BREAK && !this.breaksLine && this.pending()[0] !== "<";
    const isFlat = isSoft || this.frames.length > DEEPEST;
    const node = isFlat ? this.top.node : this.append(token);
    const opener = openerOf(token, this.pending());
    if (isFlat) this.add(opener || " ");
    this.frames.push({ token, node, opener, isFlat });
    if (token === smd.EQUATION_BLOCK || token === smd.EQUATION_INLINE) this.add(opener);
  }

  end_token(): void {
    this.flush();
    const frame = this.frames.pop();
    if (frame) this.close(frame);
  }

  set_attr(_data: null, attribute: smd.Attr, value: string): void {
    this.flush();
    const { top } = this;
    if (attribute === smd.HREF || attribute === smd.SRC) {
      top.address = value.replaceAll(CLOSING_PARENTHESIS, ")");
    } else if (attribute === smd.LANG) {
      this.caption(top, value);
    } else if (attribute === smd.START) {
      top.node.setAttribute("start", value);
    } else if (attribute === smd.CHECKED) {
      top.node.toggleAttribute("checked", true);
    }
  }

  /** Put the text gathered so far into the page. */
  flush(): void {
    const { node, token } = this.top;
    const isCode = token === smd.CODE_FENCE || token === smd.CODE_BLOCK;
    if (this.text) (isCode ? appendCode : appendText)(node, this.text);
    this.text = "";
  }

  /** Close all that is open. */
  end(): void {
    this.cutting = true;
    while (this.frames.length > 1) this.end_token();
    this.flush();
  }

  private get top(): Frame {
    return this.frames.at(-1) as Frame;
  }

  private add(text: string): void {
    appendText(this.top.node, text);
  }

  private append(token: number): Element {
    const parent = this.parentFor(token);
    const tag = token === smd.TABLE_CELL ? cellTag(parent) : this.tagFor(token);
    const node = element(tag, CLASSES[token]);
    if (node instanceof HTMLInputElement) {
      node.type = "checkbox";
      node.disabled = true;
    }
    parent.append(node);
    return node;
  }

  private tagFor(token: number): keyof HTMLElementTagNameMap {
    const isInLink = this.frames.some((frame) => frame.token === smd.LINK);
    if (token === smd.IMAGE && isInLink) return "span";
    return TAGS[token] ?? "span";
  }

  private parentFor(token: number): Element {
    const { node } = this.top;
    if (token === smd.CODE_BLOCK || token === smd.CODE_FENCE) return this.beginCode(node);
    if (token !== smd.TABLE_ROW) return node;
    const [head, body] = node.children;
    return !head ? appended(node, "thead") : (body ?? appended(node, "tbody"));
  }

  private beginCode(node: Element): HTMLElement {
    const pre = appended(node, "pre");
    this.onCode.begin?.(pre);
    return pre;
  }

  private close(frame: Frame): void {
    const { token } = frame;
    if (frame.address !== undefined) this.closeAddress(frame, frame.address);
    else if (token === smd.CODE_FENCE || token === smd.CODE_BLOCK) this.closeCode(frame);
    else if (token === smd.EQUATION_BLOCK || token === smd.EQUATION_INLINE) this.closeFormula(frame);
    else if (OPENERS[token] && !this.isClosed(frame)) this.showOpener(frame);
  }

  /** Whether what the parser has in hand is the end of the token. */
  private isClosed({ token, opener }: Frame): boolean {
    if (this.cutting || token === smd.LINK || token === smd.IMAGE) return false;
    const pending = this.pending();
    if (token === smd.CODE_INLINE) return /^ ?`*$/.test(pending);
    return /^[*_~]{1,2}$/.test(pending) && pending[0] === opener[0];
  }

  /** Show as plain text what was taken for the beginning of a token. */
  private showOpener({ token, node, opener, isFlat }: Frame): void {
    if (!isFlat) {
      node.prepend(opener);
      node.classList.add("chatnb-plain");
    }
    const isBracket = token === smd.LINK || token === smd.IMAGE;
    if (isBracket && !this.cutting && this.pending() === "]") appendText(node, "]");
  }

  private closeAddress(frame: Frame, address: string): void {
    if (frame.token === smd.RAW_URL) return this.closeBareUrl(frame, address);
    if (this.cutting) return this.closeUnfinished(frame, address);
    const { url, title } = readDestination(address);
    const href = safeHref(url);
    const { node } = frame;
    if (title) node.setAttribute("title", title);
    if (href !== null && node instanceof HTMLAnchorElement && !frame.isFlat) {
      follow(node, href);
      if (!node.textContent) appendText(node, url);
      if (frame.token === smd.IMAGE) appendText(node, " (image)");
    } else {
      appendText(node, frame.token === smd.IMAGE ? ` (image: ${address})` : ` (${address})`);
    }
  }

  private closeUnfinished(frame: Frame, address: string): void {
    if (!frame.isFlat) frame.node.prepend(frame.opener);
    appendText(frame.node, `](${address}`);
  }

  /** The parser takes all up to the next space for the address. */
  private closeBareUrl({ node, isFlat }: Frame, address: string): void {
    if (isFlat) return;
    const [url, rest] = splitBareUrl(address);
    const href = safeHref(url);
    node.textContent = url;
    if (href !== null && node instanceof HTMLAnchorElement) follow(node, href);
    this.add(rest);
  }

  private closeFormula({ token, node }: Frame): void {
    if (this.cutting) node.classList.add("chatnb-plain");
    else if (this.pending()[0] === "$") appendText(node, token === smd.EQUATION_BLOCK ? "$$" : "$");
    else appendText(node, token === smd.EQUATION_BLOCK ? "\\]" : "\\)");
  }

  private closeCode({ node, info, isFlat }: Frame): void {
    const language = /[\p{L}\d][\w+#-]*/u.exec(info ?? "")?.[0] ?? "";
    if (!isFlat) this.onCode.end(node as HTMLElement, language.toLowerCase());
  }

  /** More than a language's name after the fence is shown, for it may say something. */
  private caption(frame: Frame, info: string): void {
    frame.info = info.trim();
    if (/^[\w+#.-]*$/.test(frame.info)) return;
    const caption = element("span", "chatnb-info");
    caption.textContent = frame.info;
    frame.node.before(caption);
  }
}

function openerOf(token: number, pending: string): string {
  if (token === smd.EQUATION_BLOCK) return pending[0] === "\\" ? "\\[" : "$$";
  if (token === smd.EQUATION_INLINE) return pending[0] === "\\" ? "\\(" : "$";
  if (token === smd.CODE_INLINE) return pending || "`";
  return OPENERS[token] ?? "";
}

function follow(link: HTMLAnchorElement, href: string): void {
  link.setAttribute("href", href);
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

function cellTag(row: Element): "th" | "td" {
  return row.parentElement?.tagName === "THEAD" ? "th" : "td";
}

function appended(parent: Element, tag: keyof HTMLElementTagNameMap): HTMLElement {
  const node = element(tag);
  parent.append(node);
  return node;
}
