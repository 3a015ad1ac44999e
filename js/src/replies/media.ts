// A picture or a sound of a reply.
import { element } from "../widgets/html";

/** Show the picture or sound that an address holds. */
export function mediaElement(src: string): HTMLElement {
  return src.startsWith("data:audio/")
    ? Object.assign(element("audio"), { src, controls: true, ariaLabel: "Sound of the answer" })
    : Object.assign(element("img"), { src, alt: "Picture of the answer" });
}
