// The kernel's side of a widget, for a page without a kernel. Evaluates to the view's fake host.
(source) => {
  class FakeModel {
    constructor(traits, kernel) {
      this.traits = {
        snapshot: { seq: 0, text: "" },
        phase: "waiting",
        model_name: "smollm2",
        stop_with: "message",
        ...traits,
      };
      this.kernel = kernel;
      this.handlers = [];
      this.sent = [];
      this.seq = 0;
    }

    /** anywidget gives each lifecycle function an object of its own. */
    proxy() {
      return {
        get: (name) => this.traits[name],
        set: (name, value) => this.receive(name, value),
        save_changes: () => {},
        send: (message) => this.sent.push(message),
        on: (event, handler) => this.handlers.push([event, handler]),
        off: (event, handler) => {
          this.handlers = this.handlers.filter(([e, h]) => e !== event || h !== handler);
        },
        widget_manager: { kernel: this.kernel, ...window.otherModels },
      };
    }

    trigger(event, ...args) {
      for (const [name, handler] of [...this.handlers]) if (name === event) handler(...args);
    }

    /** A trait arrives from the kernel. */
    receive(name, value) {
      this.traits[name] = value;
      this.trigger(`change:${name}`);
    }

    /** A custom message arrives from the kernel. */
    message(content) {
      this.trigger("msg:custom", content, []);
    }

    delta(text, seq = this.seq + 1) {
      this.seq = seq;
      this.message({ type: "delta", seq, text });
    }

    /** The next piece, the phase set as the kernel sets it. */
    say(text) {
      if (this.traits.phase === "waiting") this.receive("phase", "streaming");
      this.delta(text);
    }

    count(type) {
      return this.sent.filter((message) => message.type === type).length;
    }
  }

  class Widget {
    constructor(module, traits, kernel) {
      this.model = new FakeModel(traits, kernel);
      this.views = [];
      this.module = module;
    }

    async start() {
      const exported = this.module.default;
      this.definition = typeof exported === "function" ? await exported() : exported;
      this.unload = await this.definition.initialize({ model: this.model.proxy() });
      return this;
    }

    async show() {
      const el = document.createElement("div");
      document.body.append(el);
      const dispose = await this.definition.render({ model: this.model.proxy(), el });
      const view = { el, dispose, text: el.querySelector(".chatnb-text") };
      this.views.push(view);
      return view;
    }
  }

  return (async () => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const module = await import(url);
    const others = new Map();
    window.addModel = (id, traits) => others.set(id, new FakeModel(traits).proxy());
    window.otherModels = {
      has_model: (id) => others.has(id),
      // As ipywidgets does after it has waited.
      get_model: async (id) => others.get(id) ?? Promise.reject(new Error("widget model not found")),
    };
    window.newWidget = (traits, kernel) => new Widget(module, traits, kernel).start();
    window.openWidget = async (traits, kernel) => {
      window.widget = await window.newWidget(traits, kernel);
      window.model = window.widget.model;
      window.view = await window.widget.show();
    };
  })();
}
