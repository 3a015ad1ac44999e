// Colours for code that is complete. The highlighter is large and comes once for a page, so it
// lives on the page; blocks that close before it is here wait for it.
import type { Highlight, Run } from "../highlighter/emitter";
import { drawDiagram } from "./diagrams";
import { typeset } from "./formula_view";
import type { MarkdownParser, Renderers } from "./host";
import { MAX_COLOURED } from "../generated/code_languages";
import type { FormulaNode } from "./nodes";
import type { BlockListener } from "./page";

interface Shelf {
  highlight: Highlight | null;
  readonly waiting: Set<() => void>;
}

const KEY = Symbol.for("chatnb.highlighter");
/** Languages that are only coloured. JupyterLab and its extensions draw others and may fetch. */
const ONLY_COLOURED = new Set(
  `bash c c++ c# clojure console cpp csharp css diff dart dockerfile elixir erlang fortran go haskell html ini ipython
  ipython3 java javascript js json jsx julia kotlin latex lua makefile matlab ocaml octave perl php powershell py
  python python3 r ruby rust sas scala sh shell sql stata swift tex toml ts tsx typescript xml yaml yml zsh`.split(/\s+/),
);

/** Colours and typesetting for the blocks of one view. */
export class BlockPainter implements BlockListener {
  private readonly blocks = new Map<HTMLElement, string>();

  /**
   * @param renderers - The notebook's own renderers.
   * @param ask - Asks the kernel for the highlighter.
   */
  constructor(
    private readonly renderers: Renderers | null,
    private readonly ask: () => void,
  ) {}

  formula(place: HTMLElement, node: FormulaNode): void {
    typeset(place, node, this.renderers);
  }

  /** Colour a block, now or when the highlighter comes; the notebook does so by all that its fence says. */
  endCode(block: HTMLElement, language: string, info = language): void {
    if (!language) return;
    const parser = this.renderers?.markdownParser;
    if (parser && language === "mermaid") return void drawDiagram(block, parser);
    if (parser && !ONLY_COLOURED.has(language)) return;
    if (parser) return void colourLikeNotebook(block, info, parser);
    const { highlight, waiting } = shelf();
    if (highlight) return colour(block, language, highlight);
    this.blocks.set(block, language);
    waiting.add(this.paintWaiting);
    this.ask();
  }

  dispose(): void {
    this.blocks.clear();
    shelf().waiting.delete(this.paintWaiting);
  }

  private readonly paintWaiting = (): void => {
    const { highlight } = shelf();
    if (!highlight) return;
    for (const [block, language] of this.blocks) colour(block, language, highlight);
    this.dispose();
  };
}

/** Put the highlighter on the page, once, and colour what waits for it. */
export async function receiveHighlighter(source: string): Promise<void> {
  const page = shelf();
  page.highlight ??= await load(source);
  for (const paintWaiting of [...page.waiting]) paintWaiting();
}

async function load(source: string): Promise<Highlight | null> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return ((await import(url)) as { highlight: Highlight }).highlight;
  } catch (error) {
    console.warn("chatnb: code stays without colours.", error);
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Colour a block as the notebook will colour it in the finished reply. */
async function colourLikeNotebook(block: HTMLElement, info: string, parser: MarkdownParser): Promise<void> {
  const code = block.textContent ?? "";
  if (code.length > MAX_COLOURED) return;
  const fence = "`".repeat(1 + Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length)));
  const html = await parser.render(`${fence}${info}\n${code}\n${fence}`);
  // Parsed like this, it neither runs nor fetches anything.
  const drawn = new DOMParser().parseFromString(html, "text/html").querySelector("pre > code");
  const runs = [...(drawn?.childNodes ?? [])].map(
    (node): Run => [node instanceof HTMLElement ? node.className : "", node.textContent ?? ""],
  );
  const last = runs.at(-1);
  if (last) last[1] = last[1].replace(/\n$/, "");
  if (runs.length > 1 && block.textContent === code) paint(block, runs, code);
}

function colour(block: HTMLElement, language: string, highlight: Highlight): void {
  const code = block.textContent ?? "";
  if (code.length <= MAX_COLOURED) paint(block, highlight(code, language), code);
}

function paint(block: HTMLElement, runs: Run[] | null, code: string): void {
  // Colours must not change what the code says.
  if (!runs || runs.map(([, text]) => text).join("") !== code) return;
  block.replaceChildren(...runs.map(([className, text]) => (className ? span(className, text) : text)));
}

function span(className: string, text: string): HTMLElement {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

function shelf(): Shelf {
  const page = globalThis as { [KEY]?: Shelf };
  return (page[KEY] ??= { highlight: null, waiting: new Set() });
}
