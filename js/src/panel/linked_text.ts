// Text with links: errors name sections of the documentation, and pages of providers.
import { safeHref, withoutEnd } from "../markdown/links";
import { element } from "../widgets/html";

/** Set the text of an element, with its addresses as links; the same text again costs nothing. */
export function setLinkedText(node: HTMLElement, text: string): void {
  if (node.textContent === text) return;
  node.replaceChildren(...text.split(/(?=https?:\/\/)/).flatMap(withLink));
}

function withLink(text: string): (Node | string)[] {
  const url = withoutEnd(/^[^\s<>"`]*/.exec(text)?.[0] ?? "");
  const href = /^https?:\/\/[^/?#]/.test(url) ? safeHref(url) : null;
  if (!href) return [text];
  const link = element("a", "", url);
  link.href = href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return [link, text.slice(url.length)];
}
