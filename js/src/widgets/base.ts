// The base of every widget: its entry for anywidget, mounting in the page, and reading of untrusted
// values from the kernel.
//
// An output with a widget's own MIME type shows an error, and not its static form, once the kernel
// is gone. So the output holds the static form alone, and the widget mounts its views there.
import type { AnyModel, AnyWidget } from "@anywidget/types";
import { FRAMED_CELL, openFrame } from "./frames";

/** The state that the views of one widget model share. */
interface WidgetState {
  /** Call `listener` once the views have something to show. Default: at once. */
  whenReady?(listener: () => void): void;
  dispose(): void;
}

/** The entry of a widget: one state for each model, shown in mount points and in outputs.
 *
 * @param open - Makes the state of a model.
 * @param show - Shows it in an element, and returns a function that removes the view. */
export function defineWidget<Traits extends Record<string, any>, State extends WidgetState>(
  open: (model: AnyModel<Traits>) => State,
  show: (state: State, el: HTMLElement) => () => void,
): AnyWidget<Traits> {
  // anywidget calls this once for each model, and each of the two functions with a model object of
  // its own.
  return () => {
    let state: State | undefined;
    return {
      initialize({ model }) {
        const opened = open(model);
        let unmount = (): void => {};
        const mountPoint = readString((model as AnyModel).get("mount_point"));
        const enter = (): void => {
          unmount = mount((el) => show(opened, el), mountPoint, model as AnyModel);
        };
        state = opened;
        if (mountPoint && opened.whenReady) opened.whenReady(enter);
        else if (mountPoint) enter();
        return () => {
          unmount();
          opened.dispose();
        };
      },
      render({ model, el }) {
        state ??= open(model);
        return show(state, el);
      },
    };
  };
}

const SHOWN = "data-chatnb-shown";

/** Shows a view in an element and returns a function that removes it. */
type Show = (el: HTMLElement) => () => void;

/** Show a view in every mount point of that name, now and later; the result removes them all. */
function mount(show: Show, name: string, model: AnyModel): () => void {
  const views = new Map<Element, () => void>();
  const selector = `[data-chatnb-mount="${CSS.escape(name)}"]`;

  const enter = (place: Element): void => {
    if (views.has(place) || !(place instanceof HTMLElement)) return;
    views.set(place, show(place));
    place.setAttribute(SHOWN, "");
    // Its static form may have had the length for one.
    openFrame(place.closest(FRAMED_CELL), model);
  };
  const leave = (place: Element): void => {
    views.get(place)?.();
    views.delete(place);
    place.removeAttribute(SHOWN);
  };
  const update = (records: readonly MutationRecord[]): void => {
    for (const place of [...views.keys()]) if (!place.isConnected) leave(place);
    for (const node of addedElements(records)) mountPointsIn(node, selector).forEach(enter);
  };

  const unwatch = watchPage(update);
  mountPointsIn(document.documentElement, selector).forEach(enter);
  return () => {
    unwatch();
    [...views.keys()].forEach(leave);
  };
}

/** Tell of all that is added to the page or removed from it; call the result to stop that. */
export function watchPage(told: (records: readonly MutationRecord[]) => void): () => void {
  const observer = new MutationObserver(told);
  // Some front ends load widgets into frames that have no body yet.
  observer.observe(document.documentElement, { childList: true, subtree: true });
  return () => observer.disconnect();
}

export function addedElements(records: readonly MutationRecord[]): Element[] {
  return records.flatMap(({ addedNodes }) => [...addedNodes].filter((node) => node instanceof Element));
}

function mountPointsIn(node: Element, selector: string): Element[] {
  const within = [...node.querySelectorAll(selector)];
  return node.matches(selector) ? [node, ...within] : within;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function readNumber(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function readString(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Those of a list that `read` returns a value for. */
export function readList<Value>(value: unknown, read: (item: unknown) => Value | null): Value[] {
  if (!Array.isArray(value)) return [];
  return value.map(read).filter((item) => item !== null);
}

/** The one of the `known` values that `value` equals. */
export function oneOf<Known>(known: readonly Known[], value: unknown): Known | undefined {
  return known.find((item) => item === value);
}
