// The tokens of markdown-it as a tree of what the page shows.
import type { Token } from "markdown-it";
import type { Formula } from "./formulas";
import { FORMULA_PLACE, type Parsed } from "./parser";

export interface TextNode {
  readonly type: "text";
  readonly text: string;
}

export interface ElementNode {
  readonly type: "element";
  readonly tag: keyof HTMLElementTagNameMap;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: PageNode[];
}

export interface CodeNode {
  readonly type: "code";
  readonly text: string;
  readonly info: string;
  /** Whether all of it is there. */
  readonly isClosed: boolean;
}

export interface FormulaNode {
  readonly type: "formula";
  readonly source: string;
  readonly formula: Formula;
}

export type PageNode = TextNode | ElementNode | CodeNode | FormulaNode;

/** A block of the outermost level and the line that it begins in. */
export interface Block {
  readonly node: PageNode;
  readonly line: number;
}

// Elements nested deeper than this would overflow the browser's own recursion.
const DEEPEST = 48;
const TASK = /^\[([ xX])\](?=\s+\S)/;
const TAGS = /^(?:h[1-6]|p|ul|ol|li|blockquote|table|thead|tbody|tr|th|td|em|strong|s|a|sub|sup|kbd|code|span)$/;

/** Make the blocks of a text; at the end of one that `goesOn` a code block may be open. */
export function makeBlocks(source: string, parsed: Parsed, goesOn: boolean): Block[] {
  const builder = new Builder(source, parsed, goesOn);
  return builder.build();
}

class Builder {
  private readonly blocks: Block[] = [];
  private readonly open: PageNode[][] = [[]];
  /** Tags that were opened and that no other closes. */
  private readonly opened: string[] = [];

  constructor(
    private readonly source: string,
    private readonly parsed: Parsed,
    private readonly goesOn: boolean,
  ) {}

  build(): Block[] {
    const { tokens } = this.parsed;
    let line = 0;
    tokens.forEach((token, index) => {
      if (token.level === 0 && token.nesting >= 0) line = token.map?.[0] ?? line;
      this.add(token, tokens[index - 1], tokens[index - 2]);
      if (token.level === 0 && token.nesting <= 0) {
        for (const node of (this.open[0] as PageNode[]).splice(0)) this.blocks.push({ node, line });
      }
    });
    return this.blocks;
  }

  private add(token: Token, before?: Token, previous?: Token): void {
    const { type } = token;
    if (type === "inline") {
      if (before?.type === "paragraph_open" && previous?.type === "list_item_open") this.addTask(token);
      this.addInline(token.children ?? []);
    } else if (type === "fence" || type === "code_block") {
      this.push({ type: "code", text: this.restored(token.content).replace(/\n$/, ""), info: token.info, isClosed: !this.isOpen(token) });
    } else if (type === "hr") {
      this.push(elementNode("hr"));
    } else if (!token.hidden) {
      this.nest(token, token.tag);
    }
  }

  private addTask(token: Token): void {
    const [first] = token.children ?? [];
    const found = first?.type === "text" ? TASK.exec(token.content) : null;
    if (!first || !found) return;
    const checked: Record<string, string> = found[1] === " " ? {} : { checked: "" };
    this.push(elementNode("input", { type: "checkbox", disabled: "", ...checked }));
    first.content = first.content.replace(TASK, "");
  }

  private addInline(tokens: readonly Token[]): void {
    const depth = this.open.length;
    for (const token of tokens) {
      const { type, content } = token;
      if (type === "text" || type === "text_special") this.addText(content);
      else if (type === "softbreak") this.addText("\n");
      else if (type === "hardbreak") this.push(elementNode("br"));
      else if (type === "code_inline") this.push(elementNode("code", {}, [textNode(this.restored(content))]));
      else if (type === "tag_close") this.closeTag(token.tag, depth);
      else this.nest(token, token.tag === "s" ? "del" : token.tag);
      if (type === "tag_open") this.opened.push(token.tag);
    }
    this.opened.length = 0;
    while (this.open.length > depth) this.open.pop();
  }

  /** A tag that closes none is left out, as browsers do. */
  private closeTag(tag: string, depth: number): void {
    if (this.opened.at(-1) !== tag || this.open.length <= depth) return;
    this.opened.pop();
    this.open.pop();
  }

  private nest(token: Token, tag: string): void {
    if (token.nesting < 0) {
      if (this.open.length > 1) this.open.pop();
      return;
    }
    const isFlat = this.open.length > DEEPEST || !(TAGS.test(tag) || tag === "del");
    if (isFlat) {
      this.pushText(" ");
      return void this.open.push(this.top);
    }
    const node = elementNode(tag as keyof HTMLElementTagNameMap, this.attributesOf(token));
    this.push(node);
    if (token.nesting > 0 || token.type === "tag_open") this.open.push(node.children);
  }

  private attributesOf({ attrs }: Token): Record<string, string> {
    const attributes: Record<string, string> = {};
    for (const [name, value] of attrs ?? []) {
      if (name === "style") attributes.align = String(value).replace("text-align:", "");
      else attributes[name] = this.restored(String(value));
    }
    return attributes;
  }

  private addText(text: string): void {
    let at = 0;
    for (const found of text.matchAll(FORMULA_PLACE)) {
      const formula = this.parsed.formulas[Number(found[1])];
      if (!formula) continue;
      this.pushText(text.slice(at, found.index));
      this.push({ type: "formula", source: this.sourceOf(formula), formula });
      at = found.index + found[0].length;
    }
    this.pushText(text.slice(at));
  }

  private pushText(text: string): void {
    if (!text) return;
    const last = this.top.at(-1);
    if (last?.type === "text") this.top[this.top.length - 1] = textNode(last.text + text);
    else this.push(textNode(text));
  }

  /** A text in which formulas are shown as they were written. */
  private restored(text: string): string {
    return text.replace(FORMULA_PLACE, (place, index) => {
      const formula = this.parsed.formulas[Number(index)];
      return formula ? this.sourceOf(formula) : place;
    });
  }

  private sourceOf({ start, end }: Formula): string {
    return this.source.slice(start, end);
  }

  /** Whether a code block is not closed, and the text may go on in it. */
  private isOpen({ type, map, markup }: Token): boolean {
    if (!this.goesOn || !map) return false;
    const rest = this.source.slice(this.parsed.indexOf(map[1]));
    if (rest.trim()) return false;
    if (type === "code_block") return true;
    const last = this.source.trimEnd();
    const line = last.slice(last.lastIndexOf("\n") + 1).replace(/^[\s>]+/, "");
    return map[1] - map[0] < 2 || !line.startsWith(markup) || line.replaceAll(markup[0] ?? "", "") !== "";
  }

  private get top(): PageNode[] {
    return this.open.at(-1) as PageNode[];
  }

  private push(node: PageNode): void {
    this.top.push(node);
  }
}

function textNode(text: string): TextNode {
  return { type: "text", text };
}

function elementNode(
  tag: keyof HTMLElementTagNameMap,
  attributes: Record<string, string> = {},
  children: PageNode[] = [],
): ElementNode {
  return { type: "element", tag, attributes, children };
}
