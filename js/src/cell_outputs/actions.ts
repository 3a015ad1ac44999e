// The buttons of finished replies and of their code, while the page has a kernel that made them or
// others: nothing of them is in the file.
import type { AnswerPlace } from "../generated/cell_outputs";
import { addedElements, watchPage } from "../widgets/base";
import { BranchSwitcher } from "../replies/branch_switcher";
import { action, copyButton } from "../widgets/buttons";
import { cellSource, InsertButton } from "../widgets/code_cell";
import { markFooters } from "../replies/footer";
import { element } from "../widgets/html";
import { insertOrCopy, runCell } from "../widgets/insertion";
import { keepKeys } from "../widgets/keyboard";
import { stopAt, toolbar } from "../widgets/toolbar";
import { codeCells, type NotebookContext, type Output, plainText } from "./notebook";

const FOOTER = ".jp-CodeCell .chatnb-footer";
const ACTIONS = "chatnb-actions";
const CODE_ACTIONS = "chatnb-code-actions";

/** What the kernel knows of cells and does for them. */
export interface Cells {
  /** Told of a cell, before it runs, that another reply to its prompt is wanted. */
  askAgain(cellId: string): void;
  /** The place of the answer that a cell shows, where it has had several. */
  place(cellId: string): AnswerPlace | null;
  /** Show another answer. */
  select(cellId: string, index: number): void;
}

interface Actions {
  /** The places of answers have changed. */
  refresh(): void;
  remove(): void;
}

/** Adds buttons to every finished reply of a notebook, now and later. */
export function addActions(context: NotebookContext, cells: Cells): Actions {
  const enter = (nodes: readonly Element[]): void => {
    // A reply may be drawn after its footer, once the languages of its code have loaded. While one
    // streams it has no footer.
    const finished = nodes.filter((node) => !node.closest(".chatnb-reply"));
    for (const part of new Set(finished.map((node) => node.closest(".jp-OutputArea") ?? node))) {
      markFooters(part);
      for (const footer of part.querySelectorAll(FOOTER)) addTo(footer, context, cells);
    }
  };
  const unwatch = watchPage((records) => enter(addedElements(records)));
  enter([document.documentElement]);
  return {
    refresh: () => document.querySelectorAll(`.${ACTIONS}`).forEach((bar) => refreshers.get(bar)?.()),
    remove: () => {
      unwatch();
      document.querySelectorAll(`.${CODE_ACTIONS}, .${ACTIONS}`).forEach((node) => node.remove());
    },
  };
}

function addTo(footer: Element, context: NotebookContext, cells: Cells): void {
  addToCode(footer);
  const reply = footer.querySelector(`.${ACTIONS}`) ? null : replyOf(footer, context);
  if (!reply) return;
  const bar = newBar("Reply");
  const panel = `%chat panel ${conversationOf(reply.source)}`.trim();
  bar.root.append(copyButton("Copy the reply", () => reply.text, bar));
  if (reply.source.startsWith("%%chat")) {
    bar.root.append(
      action("regenerate", "Ask again: run this cell", () => {
        cells.askAgain(reply.cellId);
        void runCell(bar.root);
      }),
      action("panel", "Go on in a panel: add a cell", () => void insertAndRun(bar, panel)),
    );
  }
  addVersions(bar.root, reply.cellId, cells);
  stopAt(bar.root, null);
  footer.append(bar.root);
  returnFocus(bar.root, reply.cellId);
}

const refreshers = new WeakMap<Element, () => void>();
/** The arrow that was pressed, in a cell whose outputs are drawn again. */
let pressed: { cellId: string; act: string } | null = null;

function addVersions(bar: HTMLElement, cellId: string, cells: Cells): void {
  let shown = 0;
  const versions = new BranchSwitcher((index) => {
    pressed = { cellId, act: Number(index) < shown ? "previous" : "next" };
    cells.select(cellId, Number(index));
  });
  const refresh = (): void => {
    const { index, count } = cells.place(cellId) ?? { index: 1, count: 1 };
    const [previous, next] = [index > 1 ? `${index - 1}` : null, index < count ? `${index + 1}` : null];
    shown = index;
    versions.show({ index, count, previous, next }, false);
  };
  refresh();
  refreshers.set(bar, refresh);
  bar.append(versions.root);
}

/** Focus the arrow that was pressed again, unless something else has the focus. */
function returnFocus(bar: HTMLElement, cellId: string): void {
  if (pressed?.cellId !== cellId || document.activeElement !== document.body) return;
  bar.querySelector<HTMLElement>(`[data-act="${pressed.act}"]`)?.focus({ preventScroll: true });
  pressed = null;
}

async function insertAndRun(bar: Bar, source: string): Promise<void> {
  const objection = await insertOrCopy(bar.root, source, "below");
  if (objection) bar.say(objection);
  else await runCell(null);
}

function addToCode(footer: Element): void {
  for (const pre of blocksOf(footer)) {
    if (pre.previousElementSibling?.classList.contains(CODE_ACTIONS)) continue;
    const bar = newBar("Code");
    const code = (): string => pre.textContent ?? "";
    const source = cellSource(languageOf(pre), code());
    if (source) bar.root.append(new InsertButton(source, bar.say).root);
    bar.root.append(copyButton("Copy code", code, bar));
    stopAt(bar.root, null);
    pre.before(element("div", CODE_ACTIONS, bar.root));
  }
}

interface Bar {
  readonly root: HTMLDivElement;
  say(words: string): void;
}

function newBar(label: string): Bar {
  const said = element("span", "chatnb-said");
  const root = toolbar(element("div", ACTIONS, said), label);
  said.setAttribute("role", "status");
  keepKeys(root);
  return { root, say: (words) => void (said.textContent = words) };
}

/** The blocks of code of the reply above a footer. */
function blocksOf(footer: Element): HTMLElement[] {
  const reply = footer.closest(".jp-OutputArea-child")?.previousElementSibling;
  return [...(reply?.querySelectorAll<HTMLElement>(".jp-RenderedMarkdown pre") ?? [])];
}

function languageOf(pre: Element): string {
  const found = /language-(\S+)/.exec(pre.querySelector("code")?.className ?? "");
  return found?.[1] ?? "";
}

interface FinishedReply {
  /** As the model wrote it. */
  readonly text: string;
  /** The source of its cell. */
  readonly source: string;
  readonly cellId: string;
}

/** The reply above a footer. */
function replyOf(footer: Element, context: NotebookContext): FinishedReply | null {
  const shown = footer.closest(".jp-OutputArea-child")?.previousElementSibling?.textContent ?? "";
  const facts = footer.textContent ?? "";
  let [best, likeness] = [null as FinishedReply | null, LEAST_LIKENESS];
  for (const cell of codeCells(context)) {
    for (let index = 1; index < cell.outputs.length; index += 1) {
      const [reply, last] = [cell.outputs.get(index - 1).toJSON(), cell.outputs.get(index).toJSON()];
      if (!isReply(reply) || !facts.startsWith(firstLine(last))) continue;
      const like = likenessOf(shown, plainText(reply));
      if (like <= likeness) continue;
      likeness = like;
      best = { text: plainText(reply), source: cell.sharedModel.getSource(), cellId: cell.id };
    }
  }
  return best;
}

const COMPARED_WORDS = 50;
const LEAST_LIKENESS = 0.5;

function isReply({ data }: Output): boolean {
  return data !== undefined && "text/markdown" in data;
}

function firstLine(output: Output): string {
  return plainText(output).split("\n", 1)[0] ?? "";
}

/** The share of the words that are shown which are in a text: Markdown leaves words as they are. */
function likenessOf(shown: string, text: string): number {
  const words = (shown.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, COMPARED_WORDS);
  return words.filter((word) => text.includes(word)).length / Math.max(1, words.length);
}

function conversationOf(source: string): string {
  const [line = ""] = source.split("\n");
  return /\s(?:-c|--conversation)[\s=]+("[^"]*"|'[^']*'|\S+)/.exec(line)?.[1] ?? "";
}
