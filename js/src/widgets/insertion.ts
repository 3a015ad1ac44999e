// Inserting of code into the notebook: below or above the panel's cell, or in place of another cell.
import { copy } from "./html";

/** Where code goes. */
export type Place = "below" | "above" | "replace";

const ACTIVE = ".jp-Cell.jp-mod-active";
const PATIENCE_MILLISECONDS = 1500;
const LOOK_MILLISECONDS = 25;

/** The last cell that was inserted below each cell with a panel: the next one stands below it. */
const inserted = new WeakMap<Element, Element>();
/** The code cell that was edited last. */
let edited: Element | null = null;

document.addEventListener("focusin", ({ target }) => {
  const editor = target instanceof Element ? target.closest(".jp-CodeCell .jp-Cell-inputArea") : null;
  if (editor) edited = editor.closest(".jp-Cell");
});

/** The cell that code can replace: the one edited last, or inserted last, other than the panel's own. */
export function replaceable(panel: Element): Element | null {
  const own = panel.closest(".jp-Cell");
  const isThere = edited?.isConnected && edited !== own && edited.parentElement === own?.parentElement;
  return isThere ? edited : null;
}

/** The reason why code cannot be put in a place, or nothing. */
export function objectionTo(panel: Element, place: Place): string {
  if (!panel.closest(".jp-Cell")) return "The panel is not in a notebook.";
  if (place === "replace" && !replaceable(panel)) return "No other code cell was edited here.";
  return "";
}

/** Insert code, or copy it where no cell can be inserted; return what there is to say. */
export async function insertOrCopy(panel: Element, source: string, place: Place): Promise<string> {
  if (await insertAsCell(panel, source, place)) return "";
  return (await copy(source))
    ? "Copied. Paste it into a new cell."
    : "No cell can be inserted here, nor can it be copied: select the code.";
}

async function insertAsCell(panel: Element, source: string, place: Place): Promise<boolean> {
  const own = panel.closest(".jp-Cell");
  if (!own) return false;
  if (place === "replace") return replace(replaceable(panel), source);
  const last = inserted.get(own);
  const cell = place === "below" && last?.isConnected ? last : own;
  if (!(await activate(cell))) return false;
  // JupyterLab fills its toolbars some time after it shows them.
  const button = await soon(() => commandButton(panel, cell, `notebook:insert-cell-${place}`));
  if (!button) return false;
  press(button);
  const editor = await editorOfNewCell(cell);
  if (editor === null || !paste(editor, source)) return false;
  const made = editor.closest(".jp-Cell");
  if (place === "below" && made) inserted.set(own, made);
  return true;
}

async function replace(cell: Element | null, source: string): Promise<boolean> {
  const editor = cell?.querySelector<HTMLElement>(".cm-content");
  if (!cell || !editor || !(await activate(cell))) return false;
  editor.focus();
  // The editor takes over the selection of the page, and a paste replaces it: Undo brings it back.
  document.getSelection()?.selectAllChildren(editor);
  await pause();
  return paste(editor, source);
}

/** Run the cell that `node` is in, else the active one. */
export async function runCell(node: Element | null): Promise<void> {
  const cell = node ? node.closest(".jp-Cell") : document.querySelector(`.jp-NotebookPanel:not(.lm-mod-hidden) ${ACTIVE}`);
  if (!cell || !(await activate(cell))) return;
  const button = commandButton(cell, cell, "notebook:run-cell-and-select-next");
  if (button) press(button);
}

/** A button of the notebook's toolbar, or of the one that the active cell has. */
function commandButton(panel: Element, cell: Element, command: string): HTMLElement | null {
  const selector = `[data-command="${command}"]`;
  const notebook = panel.closest(".jp-NotebookPanel")?.querySelector<HTMLElement>(`.jp-NotebookPanel-toolbar ${selector}`);
  return notebook ?? cell.querySelector<HTMLElement>(selector);
}

/** Make a cell the active one, as a click on its prompt does; say whether it is. */
async function activate(cell: Element): Promise<boolean> {
  if (cell.matches(ACTIVE)) return true;
  press(cell.querySelector(".jp-InputPrompt") ?? cell);
  return (await soon(() => cell.matches(ACTIVE) || null)) ?? false;
}

/** All that a mouse says: some buttons heed it going down, others the click. */
function press(target: Element): void {
  for (const type of ["mousedown", "mouseup", "click"]) {
    target.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, button: 0 }));
  }
}

/** The editor of the new cell, once it is there: it is the active one and empty. */
function editorOfNewCell(cell: Element): Promise<HTMLElement | null> {
  return soon(() => {
    const active = cell.closest(".jp-Notebook")?.querySelector(ACTIVE);
    const editor = active === cell ? null : active?.querySelector<HTMLElement>(".cm-content");
    return editor && !textOf(editor) ? editor : null;
  });
}

/** What is found, as soon as it is there; null if that takes too long. */
async function soon<T>(find: () => T | null): Promise<T | null> {
  const end = performance.now() + PATIENCE_MILLISECONDS;
  let found = find();
  while (found === null && performance.now() < end) {
    await pause();
    found = find();
  }
  return found;
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, LOOK_MILLISECONDS));
}

/** A paste comes as it is; typing would be indented by the editor. */
function paste(editor: HTMLElement, code: string): boolean {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", code);
  editor.focus();
  editor.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  return textOf(editor) !== "";
}

function textOf(editor: HTMLElement): string {
  return [...editor.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n");
}
