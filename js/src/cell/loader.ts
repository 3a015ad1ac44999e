// The entry of a reply's widget where its code is in another model of the page: it is large, and
// the same for all replies of a kernel.
import type { AnyModel, AnyWidget, Initialize, Render } from "@anywidget/types";
import type { Code, GetCode, ReplyViewTraits } from "../generated/cell";
import { isRecord, readString } from "../widgets/base";
import { Resync } from "../widgets/resync";

type Model = AnyModel<ReplyViewTraits>;
type Entry = { initialize: Initialize<ReplyViewTraits>; render: Render<ReplyViewTraits> };
type Module = { default: () => Entry };

/** A model that may hold the code, and the module once it is made of it. */
interface CodeModel {
  get(name: string): unknown;
  [MODULE]?: Promise<Module>;
}

interface WidgetManager {
  has_model?(id: string): boolean;
  get_model(id: string): Promise<CodeModel>;
}

const GET_CODE: GetCode = { type: "get_code" };
const MODULE = Symbol.for("chatnb.reply_view");

async function findCodeModel(model: Model): Promise<CodeModel | null> {
  const manager = model.widget_manager as unknown as WidgetManager | undefined;
  const id = readString(model.get("code_model"));
  // It would wait for a model that is not there.
  if (!manager?.has_model?.(id)) return null;
  return manager.get_model(id).catch(() => null);
}

/** The module in another model of the page, or null if none has it. */
async function findModule(model: Model): Promise<Module | null> {
  const holder = await findCodeModel(model);
  const code = readCode(holder?.get("reply_code"));
  if (!holder || !code) return null;
  addStyle(model, code.css);
  return (holder[MODULE] ??= importModule(code.esm));
}

/** A request for the code, repeated until the kernel has sent it. */
class CodeRequest {
  private resolve: (module: Promise<Module>) => void = () => {};
  readonly module = new Promise<Module>((resolve) => {
    this.resolve = resolve;
  });
  private readonly resync = new Resync(() => this.model.send(GET_CODE));

  constructor(private readonly model: Model) {
    model.on("msg:custom", this.onMessage);
    this.resync.request();
  }

  cancel(): void {
    this.resync.stop();
    this.model.off("msg:custom", this.onMessage);
  }

  private readonly onMessage = (content: unknown): void => {
    const code = readCode(content);
    if (!code) return;
    this.cancel();
    addStyle(this.model, code.css);
    this.resolve(importModule(code.esm));
  };
}

async function importModule(source: string): Promise<Module> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return (await import(url)) as Module;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Add the style sheet, as anywidget adds that of a widget which brings one. */
function addStyle(model: Model, css: string): void {
  const id = readString((model as AnyModel).get("_anywidget_id"));
  let style = document.querySelector(`style[id='${CSS.escape(id)}']`);
  if (!style) {
    style = document.createElement("style");
    style.id = id;
    document.head.append(style);
  }
  if (style.textContent !== css) style.textContent = css;
}

function readCode(value: unknown): Code | null {
  if (!isRecord(value) || value.type !== "code") return null;
  const { esm, css } = value;
  return typeof esm === "string" && typeof css === "string" ? { type: "code", esm, css } : null;
}

export default (): AnyWidget<ReplyViewTraits> => {
  let opened: Promise<Entry | null>;
  let unload: unknown;
  let isGone = false;
  return {
    async initialize(given) {
      const open = async (module: Module): Promise<Entry | null> => {
        if (isGone) return null;
        const entry = module.default();
        unload = await entry.initialize(given);
        return entry;
      };
      const module = await findModule(given.model);
      // Until this returns, anywidget holds back the messages of the kernel, the code among them.
      let request: CodeRequest | undefined;
      if (module) await (opened = open(module));
      else opened = (request = new CodeRequest(given.model)).module.then(open);
      return () => {
        isGone = true;
        request?.cancel();
        if (typeof unload === "function") unload();
      };
    },
    async render(given) {
      return (await opened)?.render(given);
    },
  };
};
