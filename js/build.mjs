// Bundles each widget into one self-contained file under chatnb/static.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
// Large parts of markdown-it that a browser has itself or that we do not use.
const alias = {
  entities: here("src/markdown/entities.ts"),
  "linkify-it": here("src/markdown/no_linkify.ts"),
  mdurl: here("src/markdown/no_mdurl.ts"),
  "punycode.js": here("src/markdown/no_punycode.ts"),
  "uc.micro": here("src/markdown/unicode.ts"),
};
// Rules of markdown-it that are off or for which src/markdown has its own, and its renderer.
const UNUSED = [
  [/\t\["(?:text|linkify|replacements|smartquotes|image|html_inline)", .+\],?\n/g, ""],
  [/\t\[\n\t\t"html_block",[^;]*?\n\t\],\n/g, ""],
  [/^_defineProperty\(MarkdownIt, .*\n/gm, ""],
  [/new Renderer\(\)/g, "null"],
];
const slimMarkdownIt = {
  name: "slim-markdown-it",
  setup({ onLoad }) {
    onLoad({ filter: /markdown-it\.mjs$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const [unused, replacement] of UNUSED) {
        if (!unused.test(contents)) throw new Error(`This version of markdown-it has nothing like ${unused}.`);
        contents = contents.replace(unused, replacement);
      }
      return { contents };
    });
  },
};
const WIDGETS = ["cell", "cell_outputs", "panel", "proposal", "run_tree", "usage_table"];

await build({
  entryPoints: {
    ...Object.fromEntries(WIDGETS.map((name) => [name, here(`src/${name}/widget.ts`)])),
    highlighter: here("src/highlighter/index.ts"),
    reply_loader: here("src/cell/loader.ts"),
  },
  outdir: here("../chatnb/static"),
  absWorkingDir: here("."),
  alias,
  plugins: [slimMarkdownIt],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  pure: ["console.assert"],
  banner: { js: "/*! Third-party parts: see LICENSES.txt */" },
  logLevel: "warning",
});
// Style sheets are entries of their own: a widget's module is read as text and cannot import one.
await build({
  entryPoints: WIDGETS.map((name) => here(`src/${name}/${name}.css`)),
  entryNames: "[name]",
  outdir: here("../chatnb/static"),
  absWorkingDir: here("."),
  bundle: true,
  minify: true,
  target: "es2022",
  logLevel: "warning",
});

// What is bundled asks for its licence to come along.
const licences = { "markdown-it": "LICENSE", "highlight.js": "LICENSE" };
const texts = Object.entries(licences).map(
  async ([name, file]) => `${name}\n\n${await readFile(here(`node_modules/${name}/${file}`), "utf8")}`,
);
await writeFile(here("../chatnb/static/LICENSES.txt"), (await Promise.all(texts)).join("\n\n"));
