// The highlighter: highlight.js with the languages that chat replies use, giving runs of text.
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import julia from "highlight.js/lib/languages/julia";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import rust from "highlight.js/lib/languages/rust";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { RunEmitter } from "./emitter";
import type { Run } from "./emitter";

const LANGUAGES = {
  bash, cpp, css, diff, go, java, javascript, json, julia, markdown, python, r, rust, shell, sql,
  typescript, xml, yaml,
};
/** Colouring more than this would hold up the page. */
const LONGEST = 40_000;

for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);
hljs.registerAliases(["ipython", "ipython3", "python3"], { languageName: "python" });
hljs.registerAliases(["svg", "vue"], { languageName: "xml" });
hljs.configure({ __emitter: RunEmitter });

/** The runs of `code`; null for a language that is not known and for code too long to colour. */
export function highlight(code: string, language: string): Run[] | null {
  if (code.length > LONGEST || !hljs.getLanguage(language)) return null;
  const result = hljs.highlight(code, { language, ignoreIllegals: true });
  return result._emitter instanceof RunEmitter ? result._emitter.runs : null;
}
