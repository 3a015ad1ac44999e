// JupyterLab's own typesetter and highlighter, where a widget manager leads to them: so a formula and
// code look while a reply streams as they will in its finished form.

/** The part of JupyterLab's registry of renderers that is used here. */
export interface Renderers {
  readonly latexTypesetter?: { typeset(node: HTMLElement): void | Promise<void> } | null;
  readonly markdownParser?: MarkdownParser | null;
}

export interface MarkdownParser {
  render(source: string): Promise<string>;
}

/** The renderers of the notebook that a widget is in, or null where there are none. */
export function findRenderers(model: { widget_manager?: unknown }): Renderers | null {
  const manager = model.widget_manager as { rendermime?: Renderers } | undefined;
  return manager?.rendermime ?? null;
}
