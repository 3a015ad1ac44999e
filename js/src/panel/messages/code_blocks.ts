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
import { toolbar } from "../../widgets/toolbar";

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

  /** The bar is there from the start, or the text would jump when the block ends. */
  beginCode(pre: HTMLElement): HTMLElement {
    const frame = element("div", "chatnb-panel-code");
    const bar = element("div", "chatnb-panel-code-bar");
    pre.tabIndex = 0;
    frame.append(bar, pre);
    return frame;
  }

  endCode(block: HTMLElement, language: string): void {
    const bar = block.closest(".chatnb-panel-code")?.querySelector(".chatnb-panel-code-bar");
    if (!bar) return;
    const said = element("span", "chatnb-panel-note");
    const code = block.textContent ?? "";
    said.setAttribute("role", "status");
    bar.append(nameOf(language), said);
    const source = cellSource(language, code);
    const actions = element("div", "chatnb-panel-code-actions");
    if (source) actions.append(...this.inserting(source, said));
    actions.append(copyButton("Copy code", () => code, this.announcer));
    bar.append(toolbar(actions, "Code"));
    this.painter.endCode(block, language);
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
