// The kernel's side of a run tree, for a page without a kernel. Evaluates to the view's fake host.
(source) => {
  const PAGE = 250;

  class FakeModel {
    constructor(patches, live) {
      const state = live ? { phase: "live", length: 0 } : { phase: "ended", length: patches.length };
      this.traits = { mount_point: "here", ...state };
      this.patches = patches;
      this.handlers = [];
      this.sent = [];
      // Each answer of a kernel is a task of its own.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data: first }) => this.page(first);
      this.answers = port2;
    }

    /** anywidget gives each lifecycle function an object of its own. */
    proxy() {
      return {
        get: (name) => this.traits[name],
        set: (name, value) => (this.traits[name] = value),
        save_changes: () => {},
        send: (message) => this.receiveFromBrowser(message),
        widget_manager: { kernel: window.kernel },
        on: (event, handler) => this.handlers.push([event, handler]),
        off: (event, handler) => {
          this.handlers = this.handlers.filter(([e, h]) => e !== event || h !== handler);
        },
      };
    }

    receiveFromBrowser(message) {
      this.sent.push(message);
      if (message.type === "resync") this.answers.postMessage(message.first);
    }

    trigger(event, ...args) {
      for (const [name, handler] of [...this.handlers]) if (name === event) handler(...args);
    }

    message(content) {
      this.trigger("msg:custom", content, []);
    }

    page(first, to = first + PAGE) {
      const total = this.patches.length;
      this.message({ type: "page", first, patches: this.patches.slice(first, to), total });
    }

    /** More patches come, as the kernel sends them. */
    add(patches) {
      const first = this.patches.length;
      this.patches.push(...patches);
      this.page(first, first + patches.length);
    }

    end() {
      this.traits = { ...this.traits, phase: "ended", length: this.patches.length };
      this.trigger("change:length");
      this.trigger("change:phase");
    }
  }

  return (async () => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const module = await import(url);
    window.openTree = async (patches, live) => {
      window.model = new FakeModel(patches, live);
      const definition = await module.default();
      window.unload = await definition.initialize({ model: window.model.proxy() });
      window.show = async () => {
        const el = document.createElement("div");
        document.body.append(el);
        const dispose = await definition.render({ model: window.model.proxy(), el });
        return { el, dispose };
      };
      window.view = await window.show();
    };
  })();
}
