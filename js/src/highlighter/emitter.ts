// highlight.js's way out: scopes and text come in, runs come out.
import type { Emitter } from "highlight.js";

/** The class of a piece of code (empty for plain text) and the piece. */
export type Run = [className: string, text: string];

/** The pieces of `code`, or null if the language is not known. */
export type Highlight = (code: string, language: string) => Run[] | null;

const PREFIX = "chatnb-hl-";

export class RunEmitter implements Emitter {
  readonly runs: Run[] = [];
  private readonly scopes: string[] = [];

  constructor(_options: unknown) {}

  startScope(name: string): void {
    this.scopes.push(name);
  }

  endScope(): void {
    this.scopes.pop();
  }

  /** highlight.js calls the two above by these names too. */
  openNode(name: string): void {
    this.startScope(name);
  }

  closeNode(): void {
    this.endScope();
  }

  addText(text: string): void {
    if (text) this.push(classOf(this.scopes.at(-1)), text);
  }

  __addSublanguage(emitter: Emitter, _name: string): void {
    if (emitter instanceof RunEmitter) {
      for (const [className, text] of emitter.runs) this.push(className, text);
    }
  }

  finalize(): void {}

  /** highlight.js asks for HTML, which nobody reads. */
  toHTML(): string {
    return "";
  }

  private push(className: string, text: string): void {
    const last = this.runs.at(-1);
    if (last?.[0] === className) last[1] += text;
    else this.runs.push([className, text]);
  }
}

/** "title.function" is coloured as "title". */
function classOf(scope: string | undefined): string {
  return scope ? PREFIX + scope.split(".")[0] : "";
}
