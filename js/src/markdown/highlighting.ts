// Colours for code that is complete. The highlighter is large and comes once for a page, so it
// lives on the page; blocks that close before it is here wait for it.
import type { Highlight } from "../highlighter/runs";
import type { CodeListener } from "./renderer";

interface Shelf {
  highlight: Highlight | null;
  readonly waiting: Set<() => void>;
}

const KEY = Symbol.for("chatnb.highlighter");

/** Code blocks of one view. */
export class CodePainter implements CodeListener {
  private readonly blocks = new Map<HTMLElement, string>();

  /** @param ask - Asks the kernel for the highlighter. */
  constructor(private readonly ask: () => void) {}

  /** Colour a block, now or when the highlighter comes. */
  end(block: HTMLElement, language: string): void {
    if (!language) return;
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

function colour(block: HTMLElement, language: string, highlight: Highlight): void {
  const code = block.textContent ?? "";
  const runs = highlight(code, language);
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
