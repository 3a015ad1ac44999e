// A new cell below the panel's own. No notebook offers that to widgets: it is asked for as people
// do, with the toolbar's button, and the text is pasted. Nothing is ever run.

const INSERT = '[data-command="notebook:insert-cell-below"]';
const ACTIVE = ".jp-Cell.jp-mod-active";
const PATIENCE_MILLISECONDS = 1500;
const LOOK_MILLISECONDS = 25;

/** Put `code` into a new cell below the one that `panel` is in; say whether that worked. */
export async function insertAsCell(panel: Element, code: string): Promise<boolean> {
  const cell = panel.closest(".jp-Cell");
  const button = panel.closest(".jp-NotebookPanel")?.querySelector<HTMLElement>(INSERT);
  if (!cell || !button) return false;
  activate(cell);
  if (!cell.matches(ACTIVE)) return false;
  press(button);
  const editor = await editorBelow(cell);
  return editor !== null && paste(editor, code);
}

/** Make a cell the active one, as a click on its prompt does. */
function activate(cell: Element): void {
  if (cell.matches(ACTIVE)) return;
  press(cell.querySelector(".jp-InputPrompt") ?? cell);
}

/** All that a mouse says: some buttons heed it going down, others the click. */
function press(target: Element): void {
  for (const type of ["mousedown", "mouseup", "click"]) {
    target.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, button: 0 }));
  }
}

/** The editor of the new cell, once it is there: it is the active one and empty. */
async function editorBelow(cell: Element): Promise<HTMLElement | null> {
  const end = performance.now() + PATIENCE_MILLISECONDS;
  while (performance.now() < end) {
    const active = cell.closest(".jp-Notebook")?.querySelector(ACTIVE);
    const editor = active === cell ? null : active?.querySelector<HTMLElement>(".cm-content");
    if (editor && !textOf(editor)) return editor;
    await new Promise((done) => setTimeout(done, LOOK_MILLISECONDS));
  }
  return null;
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
