// What is set for the whole conversation, beside the model.
import { element } from "../view/elements";
import { fit } from "./writing";
import { newNonce } from "./outbox";
import type { Panel } from "./panel";
import type { PanelState } from "./state";

const HOTTEST = 2;

export class SettingsForm {
  readonly root = element("div", "chatnb-panel-settings");
  private readonly temperature = element("input", "chatnb-panel-field");
  private readonly system = element("textarea", "chatnb-panel-field");
  private readonly objection = element("div", "chatnb-panel-objection");

  constructor(
    private readonly panel: Panel,
    onClose: () => void,
  ) {
    this.root.id = `chatnb-settings-${newNonce()}`;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Settings");
    const limits = { type: "number", min: "0", max: String(HOTTEST), step: "0.1", placeholder: "Default" };
    Object.assign(this.temperature, limits);
    this.system.rows = 2;
    this.system.placeholder = "None";
    this.objection.setAttribute("role", "alert");
    this.temperature.addEventListener("change", this.setTemperature);
    this.system.addEventListener("change", () => panel.send({ kind: "settings", system: this.system.value }));
    this.system.addEventListener("input", () => fit(this.system));
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      onClose();
    });
    const temperature = labelled("Temperature", this.temperature);
    this.root.append(temperature, labelled("System prompt", this.system), this.objection);
  }

  focus(): void {
    this.temperature.focus();
    fit(this.system);
  }

  /** What is being written is not overwritten. */
  show({ temperature, system }: PanelState): void {
    const active = document.activeElement;
    const written = temperature === null ? "" : String(temperature);
    if (active !== this.temperature && this.objection.textContent === "") this.temperature.value = written;
    if (active !== this.system) this.system.value = system;
  }

  private readonly setTemperature = (): void => {
    const { value, validity } = this.temperature;
    const number = value === "" ? null : Number(value);
    const isWrong = validity.badInput || (number !== null && !(number >= 0 && number <= HOTTEST));
    this.temperature.setAttribute("aria-invalid", String(isWrong));
    this.objection.textContent = isWrong ? `The temperature is a number from 0 to ${HOTTEST}, or empty.` : "";
    if (!isWrong) this.panel.send({ kind: "settings", temperature: number });
  };
}

function labelled(words: string, field: HTMLElement): HTMLElement {
  const made = element("label", "chatnb-panel-labelled");
  const text = element("span", "chatnb-panel-quiet");
  text.textContent = words;
  made.append(text, field);
  return made;
}
