// A button that opens a small menu below it.
import { action, isOff, switchOff } from "../../widgets/buttons";
import { button, element } from "../../widgets/html";

/** An entry: its words, why it is off (or nothing), and what it does. */
export interface Entry {
  words: string;
  objection: string;
  act: () => void;
}

/** @param entries - Called whenever the menu opens. */
export function menuButton(label: string, entries: () => Entry[]): HTMLElement {
  const root = element("span", "chatnb-panel-menu-place");
  const opener = action("more", label, () => (opened ? close() : open()));
  let opened: HTMLElement | null = null;

  const close = (): void => {
    const menu = opened;
    opened = null;
    opener.setAttribute("aria-expanded", "false");
    // The focus must not be lost with the entry that has it.
    if (menu?.contains(document.activeElement)) opener.focus();
    menu?.remove();
  };
  const leave = ({ relatedTarget }: FocusEvent): void => {
    if (!(relatedTarget instanceof Node && root.contains(relatedTarget))) close();
  };
  const open = (): void => {
    const made = entries().map((entry) => rowOf(entry, () => {
      close();
      entry.act();
    }));
    opened = element("div", "chatnb-panel-menu", ...made);
    opened.setAttribute("role", "menu");
    opened.setAttribute("aria-label", label);
    opened.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
      if (step) made[(made.indexOf(event.target as HTMLButtonElement) + step + made.length) % made.length]?.focus();
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    root.append(opened);
    opener.setAttribute("aria-expanded", "true");
    made[0]?.focus();
  };

  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  root.addEventListener("focusout", leave);
  root.append(opener);
  return root;
}

function rowOf({ words, objection }: Entry, onPress: () => void): HTMLButtonElement {
  const made = button("chatnb-panel-menu-row", words, () => {
    if (!isOff(made)) onPress();
  }, words);
  made.removeAttribute("aria-label");
  made.title = objection;
  made.tabIndex = -1;
  made.setAttribute("role", "menuitem");
  switchOff(made, objection !== "");
  return made;
}
