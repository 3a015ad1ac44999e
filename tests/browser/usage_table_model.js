// The kernel's side of a usage table, for a page without a kernel. Evaluates to the view's fake host.
(source) => {
  class FakeModel {
    constructor(table) {
      this.traits = { mount_point: "here", table };
      this.handlers = [];
    }

    /** anywidget gives each lifecycle function an object of its own. */
    proxy() {
      return {
        get: (name) => this.traits[name],
        set: (name, value) => (this.traits[name] = value),
        save_changes: () => {},
        on: (event, handler) => this.handlers.push([event, handler]),
        off: (event, handler) => {
          this.handlers = this.handlers.filter(([e, h]) => e !== event || h !== handler);
        },
      };
    }
  }

  return (async () => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const module = await import(url);
    window.openTable = async (table) => {
      window.unload?.();
      window.model = new FakeModel(table);
      const definition = await module.default();
      window.unload = await definition.initialize({ model: window.model.proxy() });
      window.show = async () => {
        const el = document.createElement("div");
        document.body.append(el);
        const dispose = await definition.render({ model: window.model.proxy(), el });
        return { el, dispose };
      };
    };
  })();
}
