// The line above the log: name, usage, model and settings.
import { action } from "../widgets/buttons";
import type { PanelController } from "./controller";
import { newNonce } from "./composer/draft";
import type { State } from "../generated/panel";
import { fit } from "./messages/user_message";
import { element, option } from "../widgets/html";

export class Header {
  readonly root = element("div", "chatnb-panel-header");
  private readonly name = element("span", "chatnb-panel-name");
  private readonly usage = element("span", "chatnb-panel-usage");
  private readonly model = element("select", "chatnb-panel-select");
  private readonly toggle: HTMLButtonElement;
  private readonly settings: SettingsForm;
  private offered = "";

  constructor(private readonly panel: PanelController) {
    const bar = element("div", "chatnb-panel-bar");
    this.settings = new SettingsForm(panel, () => this.open(false));
    this.toggle = action("settings", "Settings", () => this.open(Boolean(this.settings.root.hidden)));
    this.toggle.setAttribute("aria-controls", this.settings.root.id);
    this.model.setAttribute("aria-label", "Model");
    this.model.addEventListener("change", () => panel.send({ type: "change_settings", settings: { model: this.model.value } }));
    bar.append(this.name, this.usage, this.model, this.toggle);
    this.root.append(bar, this.settings.root);
    this.settings.root.hidden = true;
    this.toggle.setAttribute("aria-expanded", "false");
  }

  show(): void {
    const { name, usage } = this.panel.state;
    this.name.textContent = name || "Chat";
    this.name.title = name;
    this.usage.textContent = usage;
    this.usage.title = usage;
    this.offerModels();
    this.settings.show(this.panel.state);
  }

  private open(open: boolean): void {
    this.settings.root.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) this.settings.focus();
    else this.toggle.focus();
  }

  private offerModels(): void {
    const { model, models } = this.panel.state;
    const names = models.includes(model) || !model ? models : [model, ...models];
    const offered = names.join("\n");
    if (this.offered !== offered) this.model.replaceChildren(...names.map((name) => option(name)));
    this.offered = offered;
    this.model.value = model;
    this.model.hidden = names.length === 0;
  }
}

const HOTTEST = 2;

export class SettingsForm {
  readonly root = element("div", "chatnb-panel-settings");
  private readonly temperature = element("input", "chatnb-panel-field");
  private readonly system = element("textarea", "chatnb-panel-field");
  private readonly objection = element("div", "chatnb-panel-objection");

  constructor(
    private readonly panel: PanelController,
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
    this.system.addEventListener("change", () => panel.send({ type: "change_settings", settings: { system: this.system.value } }));
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

  /** Show the settings; a field that is being edited keeps its text. */
  show({ temperature, system }: State): void {
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
    if (!isWrong) this.panel.send({ type: "change_settings", settings: { temperature: number } });
  };
}

function labelled(words: string, field: HTMLElement): HTMLElement {
  return element("label", "chatnb-panel-labelled", element("span", "chatnb-panel-quiet", words), field);
}
