// Buttons and icons of replies and panels. `data-act` names a button's action, so that focus can return to it.
import { button, copy, drawing, SHAPES } from "./html";

/** A button with an icon, and with words where it has room for them. */
export function action(shape: Shape, label: string, onPress: () => void, words = ""): HTMLButtonElement {
  const press = (): void => {
    if (!isOff(made)) onPress();
  };
  const made = button("chatnb-panel-button", label, press, icon(shape), words);
  made.dataset.act = shape;
  return made;
}

/** A button with words alone. */
export function wordButton(words: string, act: string, onPress: () => void): HTMLButtonElement {
  const press = (): void => {
    if (!isOff(made)) onPress();
  };
  const made = button("chatnb-panel-button chatnb-panel-word", words, press, words);
  made.removeAttribute("title");
  made.removeAttribute("aria-label");
  made.dataset.act = act;
  return made;
}

/** A button that is switched off keeps the focus, which one that is disabled loses. */
export function switchOff(made: HTMLButtonElement, off: boolean): void {
  if (off) made.setAttribute("aria-disabled", "true");
  else made.removeAttribute("aria-disabled");
}

export function isOff(made: HTMLElement): boolean {
  return made.getAttribute("aria-disabled") === "true";
}

const MOMENT_MILLISECONDS = 1600;

export function copyButton(
  label: string, text: () => string, announcer: { say(words: string): void },
): HTMLButtonElement {
  const made = action("copy", label, () => {
    void copy(text()).then((copied) => {
      announcer.say(copied ? "Copied." : "The browser does not allow copying.");
      if (copied) confirm(made);
    });
  });
  return made;
}

/** Show for a moment that a button has done what it does. */
export function confirm(made: HTMLButtonElement): void {
  const drawn = made.querySelector("svg");
  if (!drawn || made.dataset.confirmed) return;
  const done = icon("done");
  made.dataset.confirmed = "true";
  drawn.replaceWith(done);
  setTimeout(() => {
    done.replaceWith(drawn);
    delete made.dataset.confirmed;
  }, MOMENT_MILLISECONDS);
}

const PATHS = {
  ...SHAPES,
  asking: "M6 1.75 A4.25 4.25 0 1 1 5.99 1.75 Z M6 4 V6.5 M6 8 V8.1",
  rejected: "M6 1.75 A4.25 4.25 0 1 1 5.99 1.75 Z M3 3 9 9",
  send: "M6 10.25 V2 M2.5 5.5 6 2 9.5 5.5",
  latest: "M6 1.75 V10 M2.5 6.5 6 10 9.5 6.5",
  copy: "M4.5 4.5 H10 V10.25 H4.5 Z M2.25 7.5 V2 H7.5",
  edit: "M2 10 2.5 7.5 8 2 10 4 4.5 9.5 Z",
  regenerate: "M10 6 A4 4 0 1 1 8.5 2.9 M9 0.9 V3.4 H6.5",
  delete: "M1.75 3.25 H10.25 M4.5 3 V1.75 H7.5 V3 M3 3.5 3.5 10.25 H8.5 L9 3.5",
  attach: "M9.75 5.5 6 9.25 A2.1 2.1 0 0 1 3 6.25 L7 2.25 A1.4 1.4 0 0 1 9 4.25 L5.2 8",
  settings: "M1.75 3.5 H6 M9 3.5 H10.25 M1.75 8.5 H3 M6 8.5 H10.25 M7.5 2.1 V4.9 M4.5 7.1 V9.9",
  insert: "M1.75 1.75 H10.25 V5 H1.75 Z M6 6.75 V10.75 M4 8.75 H8",
  more: "M3 4.75 6 7.75 9 4.75",
  panel: "M1.75 2 H10.25 V8 H6 L3.75 10.25 V8 H1.75 Z",
  file: "M3 1.5 H7 L9.25 3.75 V10.5 H3 Z M6.75 1.75 V4 H9",
} as const;

export type Shape = keyof typeof PATHS;

export function icon(shape: Shape): SVGElement {
  return drawing(PATHS[shape], `chatnb-panel-icon chatnb-panel-icon-${shape}`);
}
