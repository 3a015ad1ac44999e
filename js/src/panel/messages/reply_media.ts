// The pictures and sounds of a reply.
import { pictureUrl, soundUrl } from "../composer/attachments";
import type { ItemAttachment } from "../../generated/panel";
import { element } from "../../widgets/html";

export class ReplyMedia {
  readonly root = element("div", "chatnb-panel-media");
  private shown: readonly ItemAttachment[] | null = null;

  show(media: readonly ItemAttachment[]): void {
    if (this.shown === media) return;
    this.shown = media;
    this.root.replaceChildren(...media.flatMap((one) => viewOf(one) ?? []));
    this.root.hidden = this.root.childElementCount === 0;
  }
}

function viewOf(media: ItemAttachment): HTMLElement | null {
  const picture = pictureUrl(media);
  if (picture) {
    const made = element("img", "chatnb-panel-drawn");
    made.src = picture;
    made.alt = "Picture of the answer";
    return made;
  }
  const sound = soundUrl(media);
  if (!sound) return null;
  const made = element("audio", "chatnb-panel-spoken");
  made.src = sound;
  made.controls = true;
  made.setAttribute("aria-label", "Sound of the answer");
  return made;
}
