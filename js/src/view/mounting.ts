// Where a view is shown: in the place of the static form that its output holds.
//
// An output with a widget's own MIME type shows an error, and not its static form, once the kernel
// is gone. So the output holds the static form alone, and the model puts its views there.

const PLACE = "data-chatnb-place";
const SHOWN = "data-chatnb-shown";

/** Shows a view in an element; calling the result takes it away. */
export type Show = (el: HTMLElement) => () => void;

/** Show a view wherever the page has the place of that name, now or later; call the result to stop
    that, and to leave what was there. */
export function mount(show: Show, name: string): () => void {
  const views = new Map<Element, () => void>();
  const selector = `[${PLACE}="${CSS.escape(name)}"]`;

  const enter = (place: Element): void => {
    if (views.has(place) || !(place instanceof HTMLElement)) return;
    views.set(place, show(place));
    place.setAttribute(SHOWN, "");
  };
  const leave = (place: Element): void => {
    views.get(place)?.();
    views.delete(place);
    place.removeAttribute(SHOWN);
  };
  const look = (records: readonly MutationRecord[]): void => {
    for (const place of [...views.keys()]) if (!place.isConnected) leave(place);
    for (const { addedNodes } of records) {
      for (const node of addedNodes) if (node instanceof Element) placesIn(node, selector).forEach(enter);
    }
  };

  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  placesIn(document.body, selector).forEach(enter);
  return () => {
    observer.disconnect();
    [...views.keys()].forEach(leave);
  };
}

function placesIn(node: Element, selector: string): Element[] {
  const within = [...node.querySelectorAll(selector)];
  return node.matches(selector) ? [node, ...within] : within;
}
