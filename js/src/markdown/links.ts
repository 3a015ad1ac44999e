// Checking of links. The browser's own URL parser reads them, so that the URL that is checked is the
// one that a click would open.

const SCHEMES = ["http:", "https:", "mailto:"];
const BASE = "https://relative.invalid/";

/** The address as it may stand in `href`, or null if it must not be followed. */
export function safeHref(url: string): string | null {
  // URL parsers drop these before they read the scheme.
  const stripped = withoutMargins(url.replace(/[\t\n\r]/g, ""));
  if (!stripped || /[\0- ]/.test(stripped)) return null;
  const parsed = parse(stripped);
  if (!parsed || !SCHEMES.includes(parsed.protocol)) return null;
  if (/^(https?|mailto):/i.test(stripped)) return stripped;
  // A relative reference whose first part could be read as a scheme, once decoded, is no link.
  return /^[^/?#]*[:&%]/.test(stripped) ? null : stripped;
}

/** A bare address without what follows it but does not belong to it. */
export function withoutEnd(url: string): string {
  let unopened = url.split(")").length - url.split("(").length;
  let end = url.length;
  for (; end > 0; end -= 1) {
    const last = url.charAt(end - 1);
    if (last === ")" ? unopened <= 0 : !"?!.,:;*_~'\"".includes(last)) break;
    if (last === ")") unopened -= 1;
  }
  return url.slice(0, end);
}

function parse(url: string): URL | null {
  try {
    return new URL(url, BASE);
  } catch {
    return null;
  }
}

/** Drop control characters and spaces at both ends; a pattern would try each space inside. */
function withoutMargins(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && text.charAt(start) <= " ") start += 1;
  while (end > start && text.charAt(end - 1) <= " ") end -= 1;
  return text.slice(start, end);
}
