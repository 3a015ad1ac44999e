// Renders Markdown the way JupyterLab does for a trusted output, without letting it act, and tells
// what could have acted. Runs in a page that has loaded marked's UMD build.

const ACTIVE = new Set(
  `applet area audio base body button canvas dialog embed form frame frameset head html iframe image
  img link map math meta noembed noframes noscript object option picture plaintext portal script
  select source style svg template textarea title track video xmp`.split(/\s+/),
);
const CHECKBOX = new Set(["checked", "disabled", "type"]);
const HARMFUL_ATTRIBUTE = /^(on[a-z]+|style|src\w*|ping|data-[\w-]+|background|action|formaction)$/;
const SAFE_PROTOCOLS = new Set(["http:", "https:", "mailto:", "ftp:"]);

const escaped = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// JupyterLab hides formulas from marked and puts them back into its HTML, quotation marks and all.
function hideFormulas(text) {
  const formulas = [];
  const fence = /^(`{3,}|~{3,})[^`\n]*\n[^]*?^\1`*$/gm;
  const formula = /\\[{}$]|\$\$[^]*?\$\$|\$(?:\\[{}$]|[^$])*\$|\\\\[([][^]*?\\\\[)\]]|\\begin\{(\w+)\}[^]*?\\end\{\1\}|@@\d+@@/g;
  const kept = text
    .replace(fence, (code) => code.replace(/\$/g, "\0"))
    .replace(/(^|[^\\])(`+)([^\n]*?[^`\n])\2(?!`)/gm, (code) => code.replace(/\$/g, "\0"));
  const hidden = kept.replace(formula, (found) => {
    if (/\n\s*\n/.test(found) || /^\\[{}$]/.test(found)) return found;
    formulas.push(escaped(found.replaceAll("\0", "$")));
    return `@@${formulas.length - 1}@@`;
  });
  return { text: hidden.replaceAll("\0", "$"), formulas };
}

const renderer = new marked.Renderer();
const renderCode = renderer.code;
// JupyterLab's highlighter writes the language into the HTML as it is.
renderer.code = (token) =>
  token.lang
    ? `<pre><code class="language-${token.lang}">${escaped(token.text)}</code></pre>`
    : renderCode.call(renderer, token);
const jupyterlab = new marked.Marked({ gfm: true, renderer });

function renderLikeJupyterLab(source) {
  const { text, formulas } = hideFormulas(source);
  return jupyterlab.parse(text).replace(/@@(\d+)@@/g, (marker, index) => formulas[index] ?? marker);
}

const renderPlainly = (source) => new marked.Marked({ gfm: true }).parse(source);

function parseInertly(html) {
  const page = new DOMParser().parseFromString("<div></div>", "text/html");
  const host = page.body.firstElementChild;
  host.innerHTML = html;
  return host;
}

function isHarmful(element, { name, value }) {
  if (name === "href" && element.localName === "a") {
    // A C++ name in angle brackets may become a link; no browser acts on it.
    if (/^\w+::/.test(value)) return false;
    try {
      return !SAFE_PROTOCOLS.has(new URL(value, "https://base.test/").protocol);
    } catch {
      return false;
    }
  }
  return value !== "" && (name === "href" || HARMFUL_ATTRIBUTE.test(name));
}

function dangersIn(host) {
  const dangers = [];
  for (const element of host.querySelectorAll("*")) {
    const names = element.getAttributeNames();
    const isCheckbox = element.localName === "input" && names.every((name) => CHECKBOX.has(name));
    const isHtml = element.namespaceURI === "http://www.w3.org/1999/xhtml";
    if (!isHtml || ACTIVE.has(element.localName)) dangers.push(`<${element.localName}>`);
    if (element.localName === "input" && !isCheckbox) dangers.push("<input>");
    for (const attribute of element.attributes) {
      if (isHarmful(element, attribute)) dangers.push(`${attribute.name}=${attribute.value}`);
    }
  }
  return dangers;
}

// MathJax typesets text between its delimiters, but not in code. These commands do more than draw.
const ACTIVE_COMMAND =
  /\\(?:unicode|style|class|cssId|require|def|let|newcommand|enclose|toggle|mmlToken|href(?!\s*\{https?:))(?![A-Za-z])/g;
const OPENING = /\$|\\[([]|\\begin/;
const CLOSING = /\$|\\[)\]]|\\end/;

function commandsIn(host) {
  const typeset = host.cloneNode(true);
  for (const code of typeset.querySelectorAll("code, pre")) code.remove();
  const text = typeset.textContent;
  return [...text.matchAll(ACTIVE_COMMAND)]
    .filter(({ index }) => OPENING.test(text.slice(0, index)) && CLOSING.test(text.slice(index)))
    .map(([command]) => command);
}

function wordsIn(host) {
  const links = [...host.querySelectorAll("a")].map((link) => `${link.getAttribute("href")} ${link.title}`);
  return new Set(`${host.textContent} ${links.join(" ")}`.match(/qz\d+z/g));
}

// What could act in `safe`, and which of the numbered words that `source` showed it does not show.
globalThis.examine = (source, safe) => {
  const dangers = [];
  const lost = new Set();
  for (const render of [renderLikeJupyterLab, renderPlainly]) {
    const shown = parseInertly(render(safe));
    dangers.push(...dangersIn(shown), ...commandsIn(shown));
    const words = wordsIn(shown);
    for (const word of wordsIn(parseInertly(render(source)))) {
      // The words after a fence and those of a definition are not shown, by Markdown's rules.
      const isUnshown = new RegExp(`((\`\`\`|~~~)[^\\n]*|\\]:[^]{0,99})${word}`).test(source);
      if (!words.has(word) && !isUnshown) lost.add(word);
    }
  }
  return { dangers, lost: [...lost] };
};
