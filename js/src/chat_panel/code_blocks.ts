// Blocks of code in an answer: their colours, and what can be done with them.
import type { CodePainter } from "../markdown/highlighting";
import type { CodeListener } from "../markdown/renderer";
import { copy } from "../view/clipboard";
import { element } from "../view/elements";
import { action } from "./action";
import type { Announcer } from "./announcer";
import { insertAsCell } from "./cell";
import { confirm, copyButton } from "./copying";

export class CodeBlocks implements CodeListener {
  constructor(
    private readonly painter: CodePainter,
    private readonly announcer: Announcer,
  ) {}

  /** The bar is there from the start, or the text would jump when the block ends. */
  begin(pre: HTMLElement): void {
    const frame = element("div", "chatnb-panel-code");
    const bar = element("div", "chatnb-panel-code-bar");
    pre.replaceWith(frame);
    pre.tabIndex = 0;
    frame.append(bar, pre);
  }

  end(block: HTMLElement, language: string): void {
    const bar = block.closest(".chatnb-panel-code")?.querySelector(".chatnb-panel-code-bar");
    if (!bar) return;
    const said = element("span", "chatnb-panel-note");
    const code = block.textContent ?? "";
    said.setAttribute("role", "status");
    bar.append(nameOf(language), said, this.inserting(code, said), copyButton("Copy code", () => code, this.announcer));
    this.painter.end(block, language);
  }

  private inserting(code: string, said: HTMLElement): HTMLButtonElement {
    const made = action("insert", "Insert as cell", () => void insert(made, code, said), "Insert as cell");
    return made;
  }
}

async function insert(made: HTMLButtonElement, code: string, said: HTMLElement): Promise<void> {
  if (await insertAsCell(made, code)) return confirm(made);
  const copied = await copy(code);
  said.textContent = copied
    ? "Copied. Paste it into a new cell."
    : "No cell can be inserted here, nor can it be copied: select the code.";
}

function nameOf(language: string): HTMLElement {
  const name = element("span", "chatnb-panel-language");
  name.textContent = language;
  return name;
}
