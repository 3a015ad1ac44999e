// The clipboard, also on pages that are not secure, where browsers offer the old way alone.
import { element } from "./elements";

/** Copy a text; say whether that worked. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text);
  }
}

function copyTheOldWay(text: string): boolean {
  const before = document.activeElement;
  const field = element("textarea");
  field.value = text;
  field.style.cssText = "position: fixed; opacity: 0; pointer-events: none;";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return copied;
}
