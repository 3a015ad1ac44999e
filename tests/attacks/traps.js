// Renders outputs as JupyterLab does in a trusted notebook, and sets off what could act in them.
// Runs in a page of JupyterLab; evaluates to nothing.
() => {
  const app = window.jupyterapp;
  const rendermime = app.shell.currentWidget.content.rendermime;
  const sprung = (window.sprungTraps = []);
  const SAFE = new Set(["http:", "https:", "mailto:", "ftp:"]);
  const EVENTS = ["mouseover", "mouseenter", "pointerenter", "focus", "click"];
  const tick = (time = 0) => new Promise((done) => setTimeout(done, time));

  window.trap = (what) => sprung.push({ kind: "script", what: String(what) });
  // A page that was trapped before has the command.
  if (!app.commands.hasCommand("trap:run")) {
    const execute = (args) => window.sprungTraps.push({ kind: "command", what: JSON.stringify(args) });
    app.commands.addCommand("trap:run", { execute });
  }

  function protocolOf(address) {
    try {
      return new URL(address, document.baseURI).protocol;
    } catch {
      return "https:"; // Leads nowhere.
    }
  }

  function examineLinks(element) {
    for (const name of ["href", "xlink:href", "action", "formaction"]) {
      const address = element.getAttribute(name);
      // No browser follows the name of a C++ class, which may become a link. JupyterLab makes links
      // of all that programs print before "://", of which only scripts act.
      if (address === null || /^[\w-]+::/.test(address) || SAFE.has(protocolOf(address))) continue;
      const isPrinted = element.closest(".jp-RenderedText") !== null;
      if (isPrinted && !/^\s*(java|vb)script:/i.test(address)) continue;
      sprung.push({ kind: "link", what: address });
    }
  }

  /** Note links that would act, and do what a reader may do with the rest. */
  async function examine(host) {
    for (const element of host.querySelectorAll("*")) {
      examineLinks(element);
      if (element.localName === "details") element.open = true;
      const isLink = element.closest("a[href]") !== null;
      const isCommand = element.closest("[data-commandlinker-command]") !== null;
      if (element.localName === "form" || (isLink && !isCommand)) continue;
      for (const type of EVENTS) {
        const bubbles = isCommand && type === "click";
        element.dispatchEvent(new MouseEvent(type, { bubbles, cancelable: true }));
      }
    }
  }

  async function render(mime, data) {
    const trusted = !mime.endsWith("; untrusted");
    mime = mime.split(";")[0];
    const renderer = rendermime.createRenderer(mime);
    renderer.constructor.attach(renderer, window.trapHost);
    await renderer.renderModel(rendermime.createModel({ data: { [mime]: data }, trusted }));
    return renderer;
  }

  /** Show outputs, pairs of a MIME type and its data, and take them away again. */
  window.showOutputs = async (outputs) => {
    window.trapHost = document.createElement("div");
    document.body.append(window.trapHost);
    const shown = await Promise.all(outputs.map(([mime, data]) => render(mime, data)));
    await tick(20);
    await examine(window.trapHost);
    await tick(20);
    for (const renderer of shown) renderer.dispose();
    window.trapHost.remove();
    return sprung.splice(0);
  };

  const settle = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));

  async function leave(view) {
    await settle();
    await examine(view.el);
    await view.dispose?.();
    view.el.remove();
  }

  window.showReplies = async (texts) => {
    for (const text of texts) {
      await window.openWidget({ model_name: text });
      for (let at = 0; at < text.length; at += 7) window.model.say(text.slice(at, at + 7));
      window.model.receive("phase", "done");
      await leave(window.view);
    }
    return sprung.splice(0);
  };

  window.showPanel = async (items, state) => {
    await window.openPanel(items, state);
    await settle();
    await leave(window.view);
    window.unload?.();
    return sprung.splice(0);
  };

  window.showTree = async (patches) => {
    await window.openTree(patches, false);
    await settle();
    for (const row of document.querySelectorAll(".chatnb-run")) {
      row.click();
      await settle();
    }
    await leave(window.view);
    window.unload?.();
    return sprung.splice(0);
  };

  window.showTable = async (table) => {
    await window.openTable(table);
    await window.show().then(leave);
    return sprung.splice(0);
  };
}
