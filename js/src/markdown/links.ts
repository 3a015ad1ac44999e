// Which links may be followed. The browser's own URL parser reads them, so that what is judged
// is what a click would open.

const SCHEMES = ["http:", "https:", "mailto:"];
const BASE = "https://relative.invalid/";

/** A Markdown link's destination: the address and, after it, a quoted title. */
export interface Destination {
  url: string;
  title: string;
}

/** The part between the parentheses of a link. */
export function readDestination(source: string): Destination {
  const trimmed = source.trim();
  const titled = /^(\S+)\s+(?:"([^"]*)"|'([^']*)'|\(([^)]*)\))$/.exec(trimmed);
  const url = titled?.[1] ?? trimmed;
  const title = titled?.[2] ?? titled?.[3] ?? titled?.[4] ?? "";
  return { url: url.replace(/^<(.*)>$/, "$1"), title };
}

/** The address as it may stand in `href`, or null if it must not be followed. */
export function safeHref(url: string): string | null {
  // URL parsers drop these before they read the scheme.
  const stripped = url.replace(/[\t\n\r]/g, "").replace(/^[\0- ]+|[\0- ]+$/g, "");
  if (!stripped || /[\0- ]/.test(stripped)) return null;
  const parsed = parse(stripped);
  if (!parsed || !SCHEMES.includes(parsed.protocol)) return null;
  if (/^(https?|mailto):/i.test(stripped)) return stripped;
  // A relative reference whose first part could be read as a scheme, once decoded, is no link.
  return /^[^/?#]*[:&%]/.test(stripped) ? null : stripped;
}

/** A bare address in the text and what follows it but does not belong to it. */
export function splitBareUrl(text: string): [url: string, rest: string] {
  let url = /^[^\s<>"`]*/.exec(text)?.[0] ?? "";
  while (/[?!.,:;*_~']$/.test(url) || (url.endsWith(")") && !isBalanced(url))) {
    url = url.slice(0, -1);
  }
  return [url, text.slice(url.length)];
}

/** Whether every parenthesis that closes was opened. */
export function isBalanced(text: string): boolean {
  return text.split(")").length <= text.split("(").length;
}

function parse(url: string): URL | null {
  try {
    return new URL(url, BASE);
  } catch {
    return null;
  }
}
