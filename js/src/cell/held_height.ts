// Holding the height of JupyterLab's output area while the finished reply takes the widget's place:
// its renderer is empty until it has loaded, and the page would jump up and down again.
import { FOOTERS } from "../replies/footer";
import { easeHeight, stopEasing } from "./eased_height";

const AREA = ".jp-OutputArea";
/** Until its footer is there, nothing else tells that an output is a reply. */
const SWAPPING = "chatnb-swapping";
const DRAWN = ".jp-RenderedMarkdown, .jp-RenderedHTMLCommon";
const REASONING = ".chatnb-reasoning:not([hidden])";
const FINISHED_REASONING = ".chatnb-thoughts > details";
const LONGEST_MILLISECONDS = 3000;
/** An error comes after the footer of its reply. */
const ERROR_MILLISECONDS = 1000;

export class HeldHeight {
  private area: HTMLElement | null = null;
  private height = 0;
  private readonly observer = new ResizeObserver(() => this.measure());

  constructor(private readonly root: HTMLElement) {
    this.observer.observe(root);
  }

  /**
   * The view is removed: keep the height of its output until there is something in its place.
   *
   * @param follower - What scrolls, for a reader who follows the end of the view in it.
   */
  hold(follower: HTMLElement | null): void {
    this.observer.disconnect();
    const { area, height } = this;
    const hasText = Boolean(this.root.querySelector(".chatnb-text")?.childElementCount);
    const isOpen = this.root.querySelector<HTMLDetailsElement>(REASONING)?.open;
    // Of columns beside each other, the first that is removed holds the area of all.
    if (!area?.isConnected || !height || area.classList.contains(SWAPPING)) return;
    stopEasing(area);
    area.style.minHeight = `${height}px`;
    area.classList.add(SWAPPING);
    const watcher = new ResizeObserver(() => {
      if (isDrawn(area, hasText)) release();
    });
    const changes = new MutationObserver(() => {
      // Before it is painted: what the reader saw of the reasoning stays in sight.
      const fold = area.querySelector<HTMLDetailsElement>(FINISHED_REASONING);
      if (fold && isOpen !== undefined) fold.open = isOpen;
      for (const node of area.querySelectorAll(DRAWN)) watcher.observe(node);
      if (isDrawn(area, hasText)) release();
    });
    const release = (): void => {
      watcher.disconnect();
      changes.disconnect();
      clearTimeout(timer);
      area.style.minHeight = "";
      area.classList.remove(SWAPPING);
      easeHeight(area, height, follower);
      easeNext(area, follower);
    };
    const timer = setTimeout(release, LONGEST_MILLISECONDS);
    changes.observe(area, { childList: true, subtree: true });
    // Columns are HTML, which may have been drawn before their view is removed.
    if (isDrawn(area, hasText)) release();
  }

  private measure(): void {
    const area = this.root.closest<HTMLElement>(AREA);
    // It grows with other columns, too.
    if (area && area !== this.area) this.observer.observe(area);
    this.area = area;
    this.height = area?.offsetHeight ?? 0;
  }
}

/** Whether the finished reply is there with its height: its text, if it has one, and its footer, or
    all columns. Its reasoning, above the text, may be there before that. */
function isDrawn(area: Element, hasText: boolean): boolean {
  const outputs = [...area.querySelectorAll<HTMLElement>(DRAWN)].filter(
    (node) => node.offsetHeight > 0 && node.childElementCount > 0 && !node.closest(".chatnb-reply"),
  );
  // The renderers of text and footer may be a frame apart.
  const footers = outputs.filter((node) => node.querySelector(FOOTERS));
  if (outputs.some((node) => node.querySelector(".chatnb-comparison"))) return true;
  const texts = outputs.filter((node) => !node.querySelector(`${FOOTERS}, .chatnb-thoughts`));
  return footers.length > 0 && (texts.length > 0 || !hasText);
}

/** Ease what comes into an area right after a reply, but not the next reply. */
function easeNext(area: HTMLElement, follower: HTMLElement | null): void {
  let height = area.offsetHeight;
  // Observers of sizes are told before the page is painted, those of changes before it is laid out.
  const painted = new ResizeObserver(() => {
    height = area.offsetHeight;
  });
  const changes = new MutationObserver(() => {
    if (area.querySelector(".chatnb-reply")) stop();
    else easeHeight(area, height, follower);
  });
  const stop = (): void => {
    painted.disconnect();
    changes.disconnect();
  };
  painted.observe(area);
  changes.observe(area, { childList: true });
  setTimeout(stop, ERROR_MILLISECONDS);
}
