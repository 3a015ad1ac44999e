"""Commands of TeX in a model's reply that MathJax may run: all others are refused."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from chatnb.markdown.delimiters import ENVIRONMENTS
from chatnb.markdown.regions import is_escaped

# MathJax typesets whatever stands between its delimiters, in Markdown and in HTML alike, and has
# commands that fetch (`\unicode` writes its font into a style), run code or change later formulas.
# So only commands that draw are let through.

# Source: the maps of MathJax's packages base, ams, braket, cancel, gensymb, mathtools and mhchem.
_SYMBOLS = """
aleph alpha amalg And angle approx arrowvert Arrowvert ast asymp backslash beta bigcap bigcirc
bigcup bigodot bigoplus bigotimes bigsqcup bigtriangledown bigtriangleup biguplus bigvee
bigwedge bot bowtie bracevert bullet cap cdot cdotp cdots chi circ clubsuit colon cong coprod
cup dagger dashv ddagger ddots delta Delta diamond diamondsuit div divsymbol doteq dotsb dotsc
dotsi dotsm dotso downarrow Downarrow ell emptyset epsilon equiv eta exists flat forall frown
gamma Gamma ge geq gets gg gt hbar heartsuit hookleftarrow hookrightarrow iiiint iiint iint Im
imath in infty int intop iota jmath kappa lambda Lambda land langle lbrace lbrack lceil ldotp
ldots le Leftarrow leftarrow leftharpoondown leftharpoonup Leftrightarrow leftrightarrow leq
lfloor lgroup ll llcorner lnot longleftarrow Longleftarrow Longleftrightarrow longleftrightarrow
longmapsto longrightarrow Longrightarrow lor lrcorner lt lvert lVert mapsto mid models mp mu
nabla natural ne nearrow neg neq ni notin nu nwarrow odot oint omega Omega omicron ominus oplus
oslash otimes owns parallel partial perp phi Phi pi Pi pm prec preceq prime prod propto psi Psi
rangle rbrace rbrack rceil Re rfloor rgroup rho Rightarrow rightarrow rightharpoondown
rightharpoonup rightleftharpoons rvert rVert S searrow setminus sharp sigma Sigma sim simeq
smallint smile spadesuit sqcap sqcup sqsubseteq sqsupseteq star subset subseteq succ succeq sum
supset supseteq surd swarrow tau theta Theta times to top triangle triangleleft triangleright
ulcorner uparrow Uparrow updownarrow Updownarrow uplus upsilon Upsilon urcorner varepsilon
varphi varpi varrho varsigma vartheta vdash vdots vee Vert vert wedge wp wr xi Xi zeta
"""
_AMS_SYMBOLS = """
approxeq backepsilon backprime backsim backsimeq barwedge Bbbk because beth between bigstar
blacklozenge blacksquare blacktriangle blacktriangledown blacktriangleleft blacktriangleright
Box boxdot boxminus boxplus boxtimes bumpeq Bumpeq Cap centerdot checkmark circeq
circlearrowleft circlearrowright circledast circledcirc circleddash circledR circledS complement
Cup curlyeqprec curlyeqsucc curlyvee curlywedge curvearrowleft curvearrowright daleth
dashleftarrow dashrightarrow diagdown diagup Diamond digamma divideontimes Doteq doteqdot
dotplus doublebarwedge doublecap doublecup downdownarrows downharpoonleft downharpoonright
eqcirc eqsim eqslantgtr eqslantless eth fallingdotseq Finv Game geqq geqslant ggg gggtr gimel
gnapprox gneq gneqq gnsim gtrapprox gtrdot gtreqless gtreqqless gtrless gtrsim gvertneqq hslash
impliedby implies intercal Join leadsto leftarrowtail leftleftarrows leftrightarrows
leftrightharpoons leftrightsquigarrow leftthreetimes leqq leqslant lessapprox lessdot lesseqgtr
lesseqqgtr lessgtr lesssim lhd Lleftarrow lll llless lnapprox lneq lneqq lnsim looparrowleft
looparrowright lozenge Lsh ltimes lvertneqq maltese measuredangle mho multimap ncong nexists
ngeq ngeqq ngeqslant ngtr nleftarrow nLeftarrow nleftrightarrow nLeftrightarrow nleq nleqq
nleqslant nless nmid nparallel nprec npreceq nrightarrow nRightarrow nshortmid nshortparallel
nsim nsubseteq nsubseteqq nsucc nsucceq nsupseteq nsupseteqq ntriangleleft ntrianglelefteq
ntriangleright ntrianglerighteq nvdash nvDash nVdash nVDash pitchfork precapprox preccurlyeq
precnapprox precneqq precnsim precsim restriction rhd rightarrowtail rightleftarrows
rightrightarrows rightsquigarrow rightthreetimes risingdotseq Rrightarrow Rsh rtimes shortmid
shortparallel smallfrown smallsetminus smallsmile sphericalangle sqsubset sqsupset square Subset
subseteqq subsetneq subsetneqq succapprox succcurlyeq succnapprox succneqq succnsim succsim
Supset supseteqq supsetneq supsetneqq therefore thickapprox thicksim triangledown trianglelefteq
triangleq trianglerighteq twoheadleftarrow twoheadrightarrow unlhd unrhd upharpoonleft
upharpoonright upuparrows varDelta varGamma varkappa varLambda varnothing varOmega varPhi varPi
varpropto varPsi varSigma varsubsetneq varsubsetneqq varsupsetneq varsupsetneqq varTheta
vartriangle vartriangleleft vartriangleright varUpsilon varXi vDash Vdash veebar Vvdash yen
"""
_COMMANDS = """
acute arccos arcsin arctan arg atop bar Bbb bcancel bf big Big bigg Bigg biggl Biggl biggm Biggm
biggr Biggr bigl Bigl bigm Bigm bigr Bigr binom bmod boldsymbol boxed bra Bra brace brack braket
Braket breve cal cancel cancelto cases ce celsius centernot cfrac check choose coloneqq cos cosh
cot coth cr cramped csc dbinom ddddot dddot ddot deg degree det dfrac dim displaystyle dot dots
enspace eqqcolon eqref exp fbox frac frak gcd grave hat hbox hdashline hfill hline hom hphantom
hspace huge Huge idotsint iff inf injlim it ker kern ket Ket label large Large LARGE LaTeX left
lg lim liminf limits limsup llap ln log lower mathbb mathbf mathbfcal mathbffrak mathbfit
mathbfscr mathbfsf mathbfsfit mathbfsfup mathbfup mathbin mathcal mathclap mathclose mathfrak
mathinner mathit mathllap mathnormal mathop mathopen mathord mathpunct mathrel mathring mathrlap
mathrm mathscr mathsf mathsfit mathsfup mathstrut mathtt mathup matrix max mbox micro middle min
mkern mod negthinspace newline nolimits nonscript nonumber normalsize not notag ohm operatorname
over overbrace overbracket overleftarrow overleftrightarrow overline overparen overrightarrow
overset overunderset perthousand phantom pmatrix pmb pmod pod Pr prescript projlim pu qquad quad
raise ref right rlap rm root rule scr scriptscriptstyle scriptsize scriptstyle sec set sf
sideset sin sinh skew small smash space sqrt stackbin stackrel strut substack sup tag tan tanh
tbinom TeX text textbf textit textnormal textrm textsf textstyle texttt textup tfrac thinspace
tilde tiny tt underbrace underbracket underleftarrow underleftrightarrow underline underparen
underrightarrow underset varinjlim varliminf varlimsup varprojlim vcentcolon vcenter vec
vphantom widehat widetilde xcancel xhookleftarrow xhookrightarrow xleftarrow xLeftarrow
xleftrightarrow xmapsto xrightarrow xRightarrow xrightleftharpoons
"""
_ACTIVE_COMMANDS = """
bbox class cssId data def definecolor enclose href includegraphics let mathtip mmlToken newcommand
newenvironment renewcommand renewenvironment require setOptions style texttip toggle unicode url
"""
_ACTIVE = frozenset(_ACTIVE_COMMANDS.split())
ALLOWED = frozenset([*_SYMBOLS.split(), *_AMS_SYMBOLS.split(), *_COMMANDS.split()])
_COLOR = r"\s*(?:\[\w+\]\s*)?\{[\w\s#.,!%-]*\}"
_ENVIRONMENT = rf"\s*\{{(?:{'|'.join(ENVIRONMENTS)})\*?\}}"
# The arguments with which these commands are let through.
ALLOWED_WITH = {
    "bbox": re.compile(r"\s*(?:\{|\[[\w\s#,.:%-]*\])"),
    "begin": re.compile(_ENVIRONMENT),
    "color": re.compile(_COLOR),
    "colorbox": re.compile(_COLOR),
    "end": re.compile(_ENVIRONMENT),
    "href": re.compile(r"\s*\{\s*(?:https?://|mailto:)", re.IGNORECASE),
    "textcolor": re.compile(_COLOR),
}
_BACKSLASH = r"(?:\\|&(?:#0*92|#x0*5c|bsol);?)"
_DOLLAR = r"\$|&(?:#0*36|#x0*24|dollar);"
# Markdown turns entities into characters before MathJax looks for delimiters.
_OPENING = re.compile(rf"{_DOLLAR}|{_BACKSLASH}(?:[(\[]|begin|[a-z]{{0,4}}&)", re.IGNORECASE)
_CLOSING = re.compile(rf"{_DOLLAR}|{_BACKSLASH}(?:[)\]]|end|[a-z]{{0,2}}&)", re.IGNORECASE)
# Elements like ours, with their backslashes as entities, are code to every renderer.
_COMMAND = re.compile(
    r"<code>[^<\\]*</code>"
    rf"|(?P<backslash>{_BACKSLASH})(?P<name>(?:[a-z]|&#?\w{{1,9}};?)+)",
    re.IGNORECASE,
)
_LETTERS = re.compile("[A-Za-z]*")


class RefusedCommand(NamedTuple):
    """A command that is not let through; its name begins at `start`."""

    start: int
    # Other commands only draw, or are unknown.
    is_active: bool
    # In a formula `\\x` is a line break and a letter, and in other text the command `\x`.
    is_line_break: bool


def refused_commands(text: str) -> Iterator[RefusedCommand]:
    """Yield the commands between the first and the last delimiter of formulas."""
    first = _OPENING.search(text)
    if first is None:
        return
    last = max((found.start() for found in _CLOSING.finditer(text)), default=-1)
    for found in _COMMAND.finditer(text):
        if not first.start() <= found.start() < last:
            continue
        name = _LETTERS.match(html.unescape(found["name"] or ""))
        if name and name[0] and not _is_allowed(name[0], text, found.end()):
            is_active = name[0] in _ACTIVE
            escaped = found["backslash"] == "\\" and is_escaped(text, found.start())
            yield RefusedCommand(found.end("backslash"), is_active, escaped and not is_active)


def _is_allowed(name: str, text: str, end: int) -> bool:
    arguments = ALLOWED_WITH.get(name)
    if arguments is not None:
        return arguments.match(text, end) is not None
    return name in ALLOWED
