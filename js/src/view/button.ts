// A real button, with a name that is read out, and words where it has room for them.
import { element } from "./elements";

export function button(
  className: string,
  label: string,
  onPress: (event: MouseEvent) => void,
  ...content: (Node | string)[]
): HTMLButtonElement {
  const made = element("button", className);
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(...content);
  made.addEventListener("click", onPress);
  return made;
}
