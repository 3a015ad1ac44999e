// Buttons of the panel. Each says what it does in `data-act`, by which the focus finds it again.
import { button } from "../view/button";
import { icon, type Shape } from "./icons";

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
  const made = button("chatnb-panel-button chatnb-panel-word", words, onPress, words);
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
