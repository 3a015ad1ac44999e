// Buttons that copy, and say for a moment that they have.
import { copy } from "../view/clipboard";
import { action } from "./action";
import type { Announcer } from "./announcer";
import { icon } from "./icons";

const MOMENT_MILLISECONDS = 1600;

export function copyButton(label: string, text: () => string, announcer: Announcer): HTMLButtonElement {
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
