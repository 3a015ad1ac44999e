// The pictures and sounds of a reply.
import { pictureUrl, soundUrl } from "../composer/attachments";
import type { ItemAttachment } from "../../generated/panel";
import { element } from "../../widgets/html";
import { mediaElement } from "../../replies/media";

export class ReplyMedia {
  readonly root = element("div", "chatnb-panel-media");
  private shown: readonly ItemAttachment[] | null = null;

  show(media: readonly ItemAttachment[]): void {
    if (this.shown === media) return;
    this.shown = media;
    const urls = media.flatMap((one) => pictureUrl(one) ?? soundUrl(one) ?? []);
    this.root.replaceChildren(...urls.map(mediaElement));
    this.root.hidden = this.root.childElementCount === 0;
  }
}
