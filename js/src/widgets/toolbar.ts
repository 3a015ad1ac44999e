// Toolbars: a row of buttons with one Tab stop, within which the arrow keys move.

const STEPS: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowRight: (at, last) => (at === last ? 0 : at + 1),
  ArrowLeft: (at, last) => (at === 0 ? last : at - 1),
  Home: () => 0,
  End: (_, last) => last,
};

/** Make `root` the toolbar of the buttons that are in it, now and later. */
export function toolbar<Root extends HTMLElement>(root: Root, label: string): Root {
  root.setAttribute("role", "toolbar");
  root.setAttribute("aria-label", label);
  root.addEventListener("focusin", ({ target }) => stopAt(root, target));
  root.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const there = buttonsIn(root).filter((made) => made.checkVisibility());
    const at = there.findIndex((made) => made === event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    there[step(at, there.length - 1)]?.focus();
  });
  stopAt(root, null);
  return root;
}

/** Make one button the Tab stop: the one at hand, else the first. */
export function stopAt(root: HTMLElement, target: EventTarget | null): void {
  const there = buttonsIn(root);
  const stop = there.find((made) => made === target) ?? there[0];
  for (const made of there) made.tabIndex = made === stop ? 0 : -1;
}

function buttonsIn(root: HTMLElement): HTMLButtonElement[] {
  return [...root.querySelectorAll("button")];
}
