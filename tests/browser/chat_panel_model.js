// The kernel's side of a chat panel, for a page without a kernel. Evaluates to the view's fake host.
(source) => {
  const STATE = {
    running: false, error: null, model: "smollm2", models: ["smollm2", "gpt-5-mini"],
    temperature: null, system: "", usage: "", name: "notes", about: "", suggestions: [],
    limits: { attachment_bytes: 102400, attachments_bytes: 153600, types: ["image/png", "text/*"] },
  };

  class FakeModel {
    constructor(items, state) {
      this.traits = { mount_point: "here", seq: 0 };
      this.items = items;
      this.state = { ...STATE, ...state };
      this.handlers = [];
      this.sent = [];
      this.alive = true;
    }

    /** anywidget gives each lifecycle function an object of its own. */
    proxy() {
      const model = this;
      return {
        get: (name) => this.traits[name],
        set: () => {},
        save_changes: () => {},
        send: (message, _callbacks, buffers) => this.receive(message, buffers ?? []),
        on: (event, handler) => this.handlers.push([event, handler]),
        off: (event, handler) => {
          this.handlers = this.handlers.filter(([e, h]) => e !== event || h !== handler);
        },
        get widget_manager() { return { kernel: model.kernel }; },
      };
    }

    receive(message, buffers) {
      if (this.alive === "closed") throw new Error("The comm is closed");
      this.sent.push({ ...message, buffers: buffers.map((buffer) => new TextDecoder().decode(buffer)) });
      const asks = message.type === "hello" || message.type === "resync";
      if (asks && this.alive) queueMicrotask(() => this.snapshot());
      if (message.type === "list_variables") {
        const variables = [{ name: "df", summary: "200 x 5" }, { name: "depth", summary: "2.5" }];
        queueMicrotask(() => this.message({ type: "variables", variables }));
      }
    }

    trigger(event, ...args) {
      for (const [name, handler] of [...this.handlers]) if (name === event) handler(...args);
    }

    message(content) {
      this.trigger("msg:custom", content, []);
    }

    /** The next event; a lost one is counted and does not arrive. */
    event(content, lost = false) {
      this.traits.seq += 1;
      if (!lost) this.message({ ...content, seq: this.traits.seq });
      this.trigger("change:seq");
    }

    snapshot(parts = 1) {
      const size = Math.ceil(this.items.length / parts);
      for (let part = 0; part < parts; part += 1) {
        const items = this.items.slice(part * size, (part + 1) * size);
        this.message({ type: "snapshot", seq: this.traits.seq, part, parts, items, state: this.state });
      }
    }

    item(item) {
      const place = this.items.findIndex(({ id }) => id === item.id);
      this.items = place < 0 ? [...this.items, item] : this.items.with(place, item);
      this.event({ type: "item_changed", item });
    }

    path(items) {
      this.items = items;
      this.event({ type: "path_changed", items });
    }

    set(changes) {
      this.state = { ...this.state, ...changes };
      this.event({ type: "state_changed", state: this.state });
    }

    /** More of the last item's text. */
    grow(text, field = "text", lost = false) {
      const last = this.items.at(-1);
      const at = last[field].length;
      this.items = this.items.with(-1, { ...last, [field]: last[field] + text });
      this.event({ type: "delta", id: last.id, field, at, text }, lost);
    }

    /** The last item as it is, with changes. */
    turn(changes) {
      this.item({ ...this.items.at(-1), ...changes });
    }

    of(type) {
      return this.sent.filter((message) => message.type === type);
    }
  }

  return (async () => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const module = await import(url);
    window.openPanel = async (items, state) => {
      window.model = new FakeModel(items, state);
      window.model.kernel = window.kernel;
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
