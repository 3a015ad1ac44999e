// The footers of finished replies: in the file they are Markdown, in an emphasis that nothing else has.
// In the page they get the class of footers with folds, which are HTML.

/** What tells in an output of a reply that it is a footer. */
export const FOOTERS = ".chatnb-footer, p:only-child > em > em";

/** Gives their class to the footers in Markdown of a part of the page. */
export function markFooters(part: Element): void {
  for (const text of part.querySelectorAll(".jp-RenderedMarkdown > p:only-child > em > em")) {
    const footer = text.closest("p");
    if (footer?.textContent === text.textContent) footer?.classList.add("chatnb-footer");
  }
}
