// The files of a message, there or about to be: a small picture or a drawing, a name and a size.
import { element } from "../view/elements";
import { bytes } from "./attachment";
import { icon } from "./icons";

export interface Shown {
  name: string;
  size: number;
  picture: string | null;
}

export function attachedFile({ name, size, picture }: Shown): HTMLElement {
  const made = element("span", "chatnb-panel-file");
  const label = element("span", "chatnb-panel-file-name");
  const weight = element("span", "chatnb-panel-quiet");
  label.textContent = name;
  label.title = name;
  weight.textContent = bytes(size);
  made.append(picture ? pictureOf(picture) : icon("file"), label, weight);
  return made;
}

function pictureOf(address: string): HTMLImageElement {
  const made = element("img", "chatnb-panel-picture");
  made.src = address;
  // Its name stands beside it.
  made.alt = "";
  return made;
}
