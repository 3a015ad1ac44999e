// Entities of HTML decoded by the browser, whose table a parser need not bring along.

const decoded = new Map<string, string>();

/** Decode one entity, as `&amp;`; what is none stays as it is. */
export function decodeHTMLStrict(entity: string): string {
  if (!/^&[a-z0-9#]{1,40};$/i.test(entity)) return entity;
  const known = decoded.get(entity);
  if (known !== undefined) return known;
  const page = new DOMParser().parseFromString(entity, "text/html");
  const text = page.body.textContent || entity;
  decoded.set(entity, text);
  return text;
}
