// Keyboard events: which belong to a view and which to JupyterLab.

const MARK = "data-lm-suppress-shortcuts";

/** Return whether a key is for the focused element, and not a shortcut such as Ctrl+S. */
export function isPlain(event: KeyboardEvent): boolean {
  const runsCell = event.shiftKey && event.key === "Enter";
  return !event.ctrlKey && !event.metaKey && !event.altKey && !runsCell;
}

const WRITING = /^(Enter|Backspace|Delete|Home|End|Arrow\w+|Page\w+|[acvxyz])$/i;

/** Return whether a key edits the focused text, alone or with a modifier. */
export function isWriting({ target, key, ctrlKey, metaKey, shiftKey }: KeyboardEvent): boolean {
  const writes = target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement;
  if (!writes || !(ctrlKey || metaKey)) return writes;
  return WRITING.test(key) && !(shiftKey && key.length === 1);
}

/** Keep keys from JupyterLab while the focus is within `root`; call the result to stop that.
 *
 * Its shortcuts match the element that has the focus before they look for the mark around it, so
 * that very element is marked, for the key at hand, before JupyterLab hears of it. */
export function keepKeys(root: HTMLElement, isOurs = isPlain): () => void {
  const mark = (event: KeyboardEvent): void => {
    const { target } = event;
    if (!(target instanceof Element) || !root.contains(target)) return;
    if (isOurs(event)) target.setAttribute(MARK, "true");
    else target.removeAttribute(MARK);
  };
  const stop = (): void => window.removeEventListener("keydown", mark, true);
  root.addEventListener("focusin", () => window.addEventListener("keydown", mark, true));
  root.addEventListener("focusout", stop);
  return stop;
}
