// JupyterLab's document model and the kernel's side of the widget, for a page without either.
async (source) => {
  const signal = () => {
    const slots = [];
    return { connect: (slot) => slots.push(slot), disconnect: () => {}, emit: (...args) => slots.forEach((slot) => slot(null, ...args)) };
  };
  const outputsOf = (given, shared) => {
    const wrap = (output) => ({ toJSON: () => output });
    const list = given.map(wrap);
    return {
      get length() { return list.length; },
      get: (index) => list[index],
      set: (index, output) => { list[index] = wrap(output); shared[index] = output; },
      add: (output) => { list.push(wrap(output)); shared.push(output); },
      clear: () => { list.length = 0; shared.length = 0; },
    };
  };
  const cellOf = ({ id, source = "", outputs = [] }) => {
    const saved = [...outputs];
    const [contentChanged, mimeTypeChanged] = [signal(), signal()];
    let mimeType = "text/x-ipython";
    const sharedModel = {
      executionState: "idle",
      execution_count: null,
      getSource: () => source,
      setSource: (changed) => { source = changed; contentChanged.emit(); },
      updateOutputs: (start, end, changed, origin) => { if (origin === "silent-change") saved.splice(start, end - start, ...changed); },
    };
    return {
      id, type: "code", trusted: false, sharedModel, saved, contentChanged, mimeTypeChanged,
      outputs: outputsOf(outputs, saved),
      get mimeType() { return mimeType; },
      set mimeType(changed) { if (mimeType !== changed) { mimeType = changed; mimeTypeChanged.emit(); } },
    };
  };
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const module = await import(url);
  window.openPage = async ({ cells, replies, answers = {} }) => {
    const list = cells.map(cellOf);
    const [saveState, cellsChanged] = [signal(), signal()];
    const metadata = (window.metadata = {});
    window.kernel = { status: "busy", statusChanged: signal() };
    const context = cells.length && {
      ready: Promise.resolve(),
      saveState,
      model: {
        getMetadata: (name) => metadata[name],
        setMetadata: (name, value) => { metadata[name] = value; },
        deleteMetadata: (name) => { delete metadata[name]; },
        cells: { changed: cellsChanged, get length() { return list.length; }, get: (index) => list[index] },
      },
    };
    const handlers = {};
    window.sent = [];
    let traits = { replies, answers };
    const model = {
      get: (name) => traits[name],
      on: (event, handler) => { handlers[event] = handler; },
      off: () => {},
      send: (message) => sent.push(message),
      widget_manager: { kernel, context },
    };
    window.receive = (message) => handlers["msg:custom"](message);
    window.change = (replies) => { traits = { replies, answers }; handlers["change:replies"](); };
    window.place = (answers) => { traits = { replies, answers }; handlers["change:answers"](); };
    window.save = () => { saveState.emit("started"); return list.map((cell) => cell.saved); };
    window.shown = () => list.map(({ outputs }) => Array.from({ length: outputs.length }, (_, i) => outputs.get(i).toJSON()));
    window.cell = (index) => list[index].sharedModel;
    window.insert = (id, source) => { list.push(cellOf({ id, source })); cellsChanged.emit(); };
    window.languages = () => list.map(({ mimeType }) => (mimeType === "text/x-ipythongfm" ? "markdown" : mimeType));
    window.startKernel = () => { for (const cell of list) cell.mimeType = "text/x-python"; };
    await (await module.default()).initialize({ model });
    await new Promise((done) => setTimeout(done));
  };
}
