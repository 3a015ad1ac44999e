// Bundles each view into one self-contained file under chatnb/static.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: {
    reply: here("src/reply/index.ts"),
    run_tree: here("src/run_tree/index.ts"),
    usage_table: here("src/usage_table/index.ts"),
    chat_panel: here("src/chat_panel/index.ts"),
    highlighter: here("src/highlighter/index.ts"),
  },
  outdir: here("../chatnb/static"),
  absWorkingDir: here("."),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  pure: ["console.assert"],
  banner: { js: "/*! Third-party parts: see LICENSES.txt */" },
  logLevel: "warning",
});
// The style sheets are entries of their own: a view's module is read as text and must not import one.
await build({
  entryPoints: ["reply", "run_tree", "usage_table", "chat_panel"].map((view) =>
    here(`src/${view}/${view}.css`),
  ),
  entryNames: "[name]",
  outdir: here("../chatnb/static"),
  absWorkingDir: here("."),
  bundle: true,
  minify: true,
  target: "es2022",
  logLevel: "warning",
});

// What is bundled asks for its licence to come along.
const licences = { "streaming-markdown": "license", "highlight.js": "LICENSE" };
const texts = Object.entries(licences).map(
  async ([name, file]) => `${name}\n\n${await readFile(here(`node_modules/${name}/${file}`), "utf8")}`,
);
await writeFile(here("../chatnb/static/LICENSES.txt"), (await Promise.all(texts)).join("\n\n"));
