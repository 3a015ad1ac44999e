// Where the next message is written, and sent; while an answer comes, where it is stopped.
import { element } from "../view/elements";
import { action, switchOff } from "./action";
import { limitsIn } from "./attachment";
import { FileList } from "./file_list";
import { icon } from "./icons";
import type { Panel } from "./panel";
import { fit, isSending } from "./writing";

export class Composer {
  readonly root = element("div", "chatnb-panel-composer");
  /** What is wrong with what is being written. */
  objection = "";
  private readonly field = element("textarea", "chatnb-panel-input");
  private readonly picker = element("input");
  private readonly attaching = action("attach", "Attach files", () => this.picker.click());
  private readonly sending = action("send", "Send", () => this.press(), "Send");
  private readonly files: FileList;
  private stops: boolean | null = null;

  /** @param onArrowUp - Called when someone asks for their last message. */
  constructor(
    private readonly panel: Panel,
    private readonly onArrowUp: () => void,
  ) {
    const row = element("div", "chatnb-panel-row");
    this.files = new FileList(panel, () => this.focus());
    this.field.rows = 1;
    this.field.placeholder = "Message";
    this.field.setAttribute("aria-label", "Message");
    this.field.addEventListener("input", this.write);
    this.field.addEventListener("keydown", this.type);
    this.field.addEventListener("paste", this.paste);
    this.picker.type = "file";
    this.picker.multiple = true;
    this.picker.hidden = true;
    this.picker.addEventListener("change", this.pick);
    this.sending.classList.add("chatnb-panel-send");
    row.append(this.attaching, this.picker, this.sending);
    this.root.append(this.files.root, this.field, row);
  }

  focus(): void {
    this.field.focus({ preventScroll: true });
  }

  show(): void {
    const { draft, outbox, state, isBusy } = this.panel;
    if (this.field.value !== draft.text) this.field.value = draft.text;
    this.field.readOnly = outbox.isWaiting;
    this.files.show();
    this.turn(state.running);
    switchOff(this.sending, !state.running && (draft.isEmpty || isBusy));
    const limits = limitsIn(state.limits);
    this.attaching.hidden = !limits;
    this.attaching.title = `Attach files: ${limits}`;
    fit(this.field);
  }

  /** Attach files from wherever they come. */
  attach(files: Iterable<File>): void {
    this.objection = this.files.add(files);
    this.panel.changed();
    this.focus();
  }

  stop(): void {
    this.panel.send({ kind: "stop" });
  }

  private turn(stops: boolean): void {
    if (this.stops === stops) return;
    this.stops = stops;
    const label = stops ? "Stop" : "Send";
    this.sending.title = stops ? "Stop (Esc)" : "Send (Enter)";
    this.sending.setAttribute("aria-label", label);
    this.sending.dataset.act = stops ? "stop" : "send";
    this.sending.replaceChildren(icon(stops ? "stop" : "send"), label);
  }

  private press(): void {
    if (this.panel.state.running) return this.stop();
    this.send();
    this.focus();
  }

  private send(): void {
    this.objection = "";
    void this.panel.outbox.send();
  }

  private readonly write = (): void => {
    this.panel.draft.write(this.field.value);
    this.panel.changed();
  };

  private readonly type = (event: KeyboardEvent): void => {
    if (isSending(event)) {
      event.preventDefault();
      this.send();
    } else if (event.key === "ArrowUp" && !this.field.value && !event.isComposing) {
      event.preventDefault();
      this.onArrowUp();
    }
  };

  private readonly paste = (event: ClipboardEvent): void => {
    const { clipboardData } = event;
    // A table copied from a spreadsheet is a picture, too: its text is what is meant.
    if (!clipboardData?.files.length || clipboardData.getData("text/plain")) return;
    event.preventDefault();
    this.attach(clipboardData.files);
  };

  private readonly pick = (): void => {
    this.attach(this.picker.files ?? []);
    this.picker.value = "";
  };
}
