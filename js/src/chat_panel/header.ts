// The line above: which conversation, what it has used, which model, and the way to the settings.
import { element } from "../view/elements";
import { action } from "./action";
import { SettingsForm } from "./settings_form";
import type { Panel } from "./panel";

export class Header {
  readonly root = element("div", "chatnb-panel-header");
  private readonly name = element("span", "chatnb-panel-name");
  private readonly usage = element("span", "chatnb-panel-usage");
  private readonly model = element("select", "chatnb-panel-select");
  private readonly toggle: HTMLButtonElement;
  private readonly settings: SettingsForm;
  private offered = "";

  constructor(private readonly panel: Panel) {
    const bar = element("div", "chatnb-panel-bar");
    this.settings = new SettingsForm(panel, () => this.open(false));
    this.toggle = action("settings", "Settings", () => this.open(Boolean(this.settings.root.hidden)));
    this.toggle.setAttribute("aria-controls", this.settings.root.id);
    this.model.setAttribute("aria-label", "Model");
    this.model.addEventListener("change", () => panel.send({ kind: "settings", model: this.model.value }));
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
    if (this.offered !== offered) this.model.replaceChildren(...names.map(optionOf));
    this.offered = offered;
    this.model.value = model;
    this.model.hidden = names.length === 0;
  }
}

function optionOf(name: string): HTMLOptionElement {
  const made = element("option");
  made.value = name;
  made.textContent = name;
  return made;
}
