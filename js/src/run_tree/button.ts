// A small button with an icon, and with words where it has room for them.
import { element } from "../view/elements";
import { icon } from "./icons";

export function button(
  shape: Parameters<typeof icon>[0],
  label: string,
  onPress: () => void,
  words = "",
): HTMLButtonElement {
  const made = element("button", "chatnb-run-button");
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(icon(shape), words);
  made.addEventListener("click", onPress);
  return made;
}
