// Code blocks in a reply: highlighting, Copy, and Insert as cell.
import type { BlockPainter } from "../../markdown/highlighting";
import type { BlockListener } from "../../markdown/page";
import type { FormulaNode } from "../../markdown/nodes";
import { copyButton } from "../../widgets/buttons";
import { cellSource, InsertButton } from "../../widgets/code_cell";
import { element, setText } from "../../widgets/html";
import { objectionTo, type Place } from "../../widgets/insertion";
import { type Entry, menuButton } from "./menu";
import type { Announcer } from "../notices";
import { stopAt, toolbar } from "../../widgets/toolbar";

const ACTIONS = "chatnb-panel-code-actions";
const PLACES: readonly (readonly [Place, string])[] = [
  ["below", "Insert below"],
  ["above", "Insert above"],
  ["replace", "Replace the cell edited last"],
];

export class CodeBlocks implements BlockListener {
  constructor(
    private readonly painter: BlockPainter,
    private readonly announcer: Announcer,
  ) {}

  /** The bar is whole from the start, but for what inserts the code, which must be whole, too. */
  beginCode(pre: HTMLElement, language: string): HTMLElement {
    const said = element("span", "chatnb-panel-note");
    const copy = copyButton("Copy code", () => pre.textContent ?? "", this.announcer);
    const actions = toolbar(element("div", ACTIONS, copy), "Code");
    stopAt(actions, null);
    said.setAttribute("role", "status");
    pre.tabIndex = 0;
    const bar = element("div", "chatnb-panel-code-bar", nameOf(language), said, actions);
    return element("div", "chatnb-panel-code", bar, pre);
  }

  endCode(block: HTMLElement, language: string, info: string): void {
    const bar = block.closest(".chatnb-panel-code")?.querySelector(".chatnb-panel-code-bar");
    const [said, actions] = [bar?.querySelector<HTMLElement>("[role=status]"), bar?.querySelector<HTMLElement>(`.${ACTIONS}`)];
    const source = cellSource(language, block.textContent ?? "");
    if (source && said && actions) {
      actions.prepend(...this.inserting(source, said));
      stopAt(actions, null);
    }
    this.painter.endCode(block, language, info);
  }

  formula(place: HTMLElement, node: FormulaNode): void {
    this.painter.formula(place, node);
  }

  private inserting(source: string, said: HTMLElement): HTMLElement[] {
    const button = new InsertButton(source, (words) => setText(said, words), "Insert as cell");
    const entries = (): Entry[] => PLACES.map(([place, words]) => ({
      words,
      objection: objectionTo(button.root, place),
      act: () => void button.insert(place),
    }));
    return [button.root, menuButton("Insert elsewhere", entries)];
  }
}

function nameOf(language: string): HTMLElement {
  return element("span", "chatnb-panel-language", language);
}
