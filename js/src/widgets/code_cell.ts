// Blocks of code as cells of the notebook: their source, and the button that inserts them.
import { MAGICS, PYTHON, SESSIONS } from "../generated/code_languages";
import { action, confirm } from "./buttons";
import { insertOrCopy, type Place } from "./insertion";

const PROMPTS = { python: /^(>>>|\.\.\.)( |$)/, bash: /^\$( |$)/ };

/** The source of a cell that runs a block of code, or null for a language that no cell runs. */
export function cellSource(language: string, code: string): string | null {
  const name = (/^[{.]*([^\s{}:,]*)/.exec(language)?.[1] ?? "").toLowerCase();
  const source = dedent(code).trimEnd();
  if (!source) return null;
  if (!name || PYTHON.includes(name)) return source;
  if (SESSIONS.includes(name)) return sessionInput(source, PROMPTS.python);
  const magics: Readonly<Record<string, string>> = MAGICS;
  const magic = Object.hasOwn(magics, name) ? magics[name] : undefined;
  if (!magic) return null;
  const isSession = magic === "bash" && PROMPTS.bash.test(source);
  return `%%${magic}\n${isSession ? sessionInput(source, PROMPTS.bash) : source}`;
}

/** The code without the indent that all of its lines share, as that of a list item. */
function dedent(code: string): string {
  const lines = code.split("\n");
  const indents = lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length);
  const shared = Math.min(...indents);
  return Number.isFinite(shared) ? lines.map((line) => line.slice(shared)).join("\n") : code;
}

/** The input lines of a session, without its output. */
function sessionInput(session: string, prompt: RegExp): string {
  const lines = session.split("\n").filter((line) => prompt.test(line));
  return lines.map((line) => line.replace(prompt, "")).join("\n");
}

/** A button that inserts the source of a cell. */
export class InsertButton {
  readonly root: HTMLButtonElement;

  /** @param say - Gets what there is to say, where nothing could be inserted. */
  constructor(
    private readonly source: string,
    private readonly say: (words: string) => void,
    words = "",
  ) {
    this.root = action("insert", "Insert as cell", () => void this.insert("below"), words);
  }

  async insert(place: Place): Promise<void> {
    const words = await insertOrCopy(this.root, this.source, place);
    if (words) this.say(words);
    else confirm(this.root);
  }
}
