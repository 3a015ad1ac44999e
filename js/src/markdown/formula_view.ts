// Formulas in the page, typeset by the notebook's own typesetter. It runs every command of TeX, so
// that only formulas of commands that draw are given to it, as in chatnb/markdown/tex_commands.py.
import { COMMANDS, COMMANDS_WITH } from "../generated/tex_commands";
import type { FormulaNode } from "./nodes";
import type { Renderers } from "./host";

const ALLOWED = new Set(commands());
const ALLOWED_WITH = Object.entries(COMMANDS_WITH).map(
  ([names, pattern]) => [names.split(" "), new RegExp(pattern, "iy")] as const,
);
const COMMAND = /\\(?:([A-Za-z]+)|[^])/g;

function* commands(): Generator<string> {
  let name = "";
  for (const [, shared, letters] of COMMANDS.matchAll(/(\d)(\D*)/g)) {
    yield (name = name.slice(0, Number(shared)) + letters);
  }
}

/** Whether all the commands of a formula only draw. */
export function onlyDraws(tex: string): boolean {
  for (const found of tex.matchAll(COMMAND)) {
    const name = found[1];
    if (name && !isAllowed(name, tex, found.index + found[0].length)) return false;
  }
  return true;
}

function isAllowed(name: string, tex: string, end: number): boolean {
  const argument = ALLOWED_WITH.find(([names]) => names.includes(name))?.[1];
  if (!argument) return ALLOWED.has(name);
  argument.lastIndex = end;
  return argument.test(tex);
}

/** Typeset a formula whose source `place` shows. */
export function typeset(place: HTMLElement, { formula, source }: FormulaNode, renderers: Renderers | null): void {
  const typesetter = renderers?.latexTypesetter;
  if (!typesetter || place.tagName === "CODE") return;
  const { tex, isDisplay } = formula;
  place.textContent = source.startsWith("\\begin") ? source : isDisplay ? `\\[${tex}\\]` : `\\(${tex}\\)`;
  place.classList.add("chatnb-typeset");
  void typesetter.typeset(place);
}
