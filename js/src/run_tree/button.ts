// A small button with an icon, and with words where it has room for them.
import { button as plainButton } from "../view/button";
import { icon } from "./icons";

export function button(
  shape: Parameters<typeof icon>[0],
  label: string,
  onPress: () => void,
  words = "",
): HTMLButtonElement {
  return plainButton("chatnb-run-button", label, onPress, icon(shape), words);
}
