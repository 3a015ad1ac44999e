// Bringing a part of the page to the state of a new tree: what is the same in both stays in place.
import { appendCode, appendText, element } from "../widgets/html";
import { onlyDraws } from "./formula_view";
import type { CodeNode, ElementNode, FormulaNode, PageNode, TextNode } from "./nodes";

/** Told of code blocks and formulas. */
export interface BlockListener {
  /** A code block begins in a language, or ""; returns what goes into the page in place of `pre`. */
  beginCode?(pre: HTMLElement, language: string): HTMLElement;
  /** A code block is whole; its fence has an info string, of which the language is empty where none was named. */
  endCode(block: HTMLElement, language: string, info: string): void;
  /** A formula is whole; `place` shows its source. */
  formula?(place: HTMLElement, node: FormulaNode): void;
}

/** The classes of an element with Markdown; nothing in it is a formula but what the writer says. */
export const TEXT_CLASSES =
  "chatnb-text jp-RenderedHTMLCommon jp-RenderedMarkdown tex2jax_ignore mathjax_ignore";
/** The elements that text at their end goes on in. */
const GROWING = /^(?:p|ul|ol|li|blockquote|em|strong|del|h[1-6])$/;
const LANGUAGE = /[\p{L}\d][\w+#-]*/u;

/** A node of a tree and what shows it in the page. */
interface Shown {
  node: PageNode;
  /** Long texts have many nodes; all others have one. */
  readonly places: ChildNode[];
  readonly children: Shown[];
}

/** The blocks of a reply. */
export class PagePart {
  private shown: Shown[] = [];

  constructor(
    private readonly parent: Element,
    private readonly listener: BlockListener,
  ) {}

  /** Show these blocks after the first `kept[0]` ones; of the first, only children after the first `kept[1]` are given. */
  show(nodes: readonly PageNode[], kept: readonly number[]): void {
    this.showAfter(this.parent, this.shown, nodes, kept);
  }

  /** Add to the text that the page ends in; returns whether it ends in one. */
  growText(text: string): boolean {
    let last = this.shown.at(-1);
    while (last?.node.type === "element" && GROWING.test(last.node.tag)) last = last.children.at(-1);
    if (last?.node.type !== "text") return false;
    const { node } = last;
    appendToText(last, text);
    last.node = { ...node, text: node.text + text };
    return true;
  }

  /** Add to the code in the last block. */
  growCode(text: string): void {
    const last = this.shown.pop();
    const node = last?.node;
    if (node?.type !== "code") return;
    const code = codeOf(last as Shown);
    if (code) appendCode(code, text);
    this.shown.push({ ...(last as Shown), node: { ...node, text: node.text + text } });
  }

  private showAfter(
    parent: Element, shown: Shown[], nodes: readonly PageNode[], [count = 0, ...inner]: readonly number[],
  ): void {
    const changing = shown.splice(count);
    if (!inner.length) return void shown.push(...this.update(parent, changing, nodes));
    const [first, ...more] = changing;
    const [node, ...others] = nodes;
    if (!first || node?.type !== "element") return;
    this.showAfter(first.places[0] as Element, first.children, node.children, inner);
    shown.push(first, ...this.update(parent, more, others));
  }

  private update(parent: Element, shown: Shown[], nodes: readonly PageNode[]): Shown[] {
    const after = shown.at(-1)?.places.at(-1)?.nextSibling ?? null;
    const updated = nodes.map((node, index) => this.updateOne(parent, shown[index], node, after));
    for (const { places } of shown.slice(nodes.length)) for (const place of places) place.remove();
    return updated;
  }

  private updateOne(parent: Element, shown: Shown | undefined, node: PageNode, after: ChildNode | null): Shown {
    const kept = shown && this.keep(shown, node);
    if (kept) return kept;
    const next = shown?.places[0] ?? after;
    const made = this.make(node);
    if (next) next.before(...made.places);
    else this.append(parent, made.places);
    for (const place of shown?.places ?? []) place.remove();
    this.announce(made);
    return made;
  }

  protected append(parent: Element, places: readonly ChildNode[]): void {
    parent.append(...places);
  }

  /** Change what is shown into the node, if that is what it grows to. */
  private keep(shown: Shown, node: PageNode): Shown | null {
    const before = shown.node;
    if (before.type === "text" && node.type === "text") return this.keepText(shown, before, node);
    if (before.type === "element" && node.type === "element" && isSameElement(before, node)) {
      const [place] = shown.places as [Element];
      return { node, places: shown.places, children: this.update(place, shown.children, node.children) };
    }
    if (before.type === "code" && node.type === "code") return this.keepCode(shown, before, node);
    if (before.type === "formula" && node.type === "formula" && isSameFormula(before, node)) return { ...shown, node };
    return null;
  }

  private keepText(shown: Shown, before: TextNode, node: TextNode): Shown | null {
    if (!node.text.startsWith(before.text)) return null;
    if (node.text.length > before.text.length) appendToText(shown, node.text.slice(before.text.length));
    return { ...shown, node };
  }

  private keepCode(shown: Shown, before: CodeNode, node: CodeNode): Shown | null {
    const isSame = before.info === node.info && before.text === node.text;
    if (before.isClosed) return isSame ? { ...shown, node } : null;
    if (before.info !== node.info || !node.text.startsWith(before.text)) return null;
    const code = codeOf(shown);
    if (!code) return null;
    appendCode(code, node.text.slice(before.text.length));
    const grown = { ...shown, node };
    if (node.isClosed) this.announce(grown);
    return grown;
  }

  private make(node: PageNode): Shown {
    if (node.type === "text") return { node, places: textNodes(node.text), children: [] };
    if (node.type === "code") return { node, places: [this.makeCode(node)], children: [] };
    if (node.type === "formula") return { node, places: [makeFormula(node)], children: [] };
    const place = makeElement(node);
    return { node, places: [place], children: this.update(place, [], node.children) };
  }

  private makeCode({ text, info }: CodeNode): HTMLElement {
    const [pre, code] = [element("pre"), element("code")];
    // More than a language may say something.
    if (info.trim() && LANGUAGE.exec(info)?.[0] !== info.trim()) pre.title = info.trim();
    pre.append(code);
    if (text) appendCode(code, text);
    return this.listener.beginCode?.(pre, languageOf(info)) ?? pre;
  }

  private announce(shown: Shown): void {
    const { node } = shown;
    if (node.type === "code" && node.isClosed) {
      const code = codeOf(shown);
      if (code) this.listener.endCode(code, languageOf(node.info), node.info.trim());
    }
    if (node.type === "formula" && node.formula.isClosed) {
      this.listener.formula?.(shown.places[0] as HTMLElement, node);
    }
  }
}

function languageOf(info: string): string {
  return (LANGUAGE.exec(info)?.[0] ?? "").toLowerCase();
}

function codeOf({ places }: Shown): HTMLElement | null {
  const [place] = places as [HTMLElement];
  return place.querySelector<HTMLElement>("pre > code");
}

function appendToText({ places }: Shown, text: string): void {
  const last = places.at(-1);
  const room = last instanceof Text ? Math.max(0, LONGEST_TEXT - last.length) : 0;
  if (last instanceof Text && room) last.appendData(text.slice(0, room));
  const added = textNodes(text.slice(room));
  last?.after(...added);
  places.push(...added);
}

// Text nodes that grow without end cost a copy of the whole for each addition.
const LONGEST_TEXT = 2048;

function textNodes(text: string): Text[] {
  const nodes: Text[] = [];
  for (let at = 0; at < text.length; at += LONGEST_TEXT) {
    nodes.push(document.createTextNode(text.slice(at, at + LONGEST_TEXT)));
  }
  return nodes;
}

function isSameElement(before: ElementNode, node: ElementNode): boolean {
  const names = Object.keys(node.attributes);
  return before.tag === node.tag && names.length === Object.keys(before.attributes).length
    && names.every((name) => before.attributes[name] === node.attributes[name]);
}

function isSameFormula(before: FormulaNode, node: FormulaNode): boolean {
  return before.source === node.source && before.formula.isClosed === node.formula.isClosed;
}

function makeElement({ tag, attributes }: ElementNode): HTMLElement {
  const made = element(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  if (made instanceof HTMLAnchorElement && attributes.href !== undefined) {
    made.target = "_blank";
    made.rel = "noopener noreferrer";
  }
  return made;
}

function makeFormula({ source, formula }: FormulaNode): HTMLElement {
  // Finished replies show what is not typeset as code, too.
  if (formula.isClosed && !onlyDraws(formula.tex)) return element("code", "", source);
  const made = element("span", formula.isClosed ? "chatnb-formula" : "chatnb-formula chatnb-formula-open");
  appendText(made, source);
  return made;
}
