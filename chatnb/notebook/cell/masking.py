"""Mask the values in code and in messages of errors: names stay, texts and numbers do not leave.

The rule, whatever the code: the inside of a string, a comment, the arguments of a magic or a shell
command, and a number of three significant digits or more become a placeholder of their length.
A string of letters alone that names something stays: the key in a subscript or in a dict.
"""

from __future__ import annotations

import builtins
import re
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

# A lexer that takes any text, since the code of a syntax error cannot be parsed.
_TOKEN = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r"|(?P<opening>(?i:(?<!\w)(?:[rbuft]|rb|br|fr|rf|tr|rt))?(?:\"\"\"|'''|\"|'))"
    r"|(?P<number>\.?\d(?:[eE][+-]?\d|[\w.])*)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<space>[ \t\f\r]+|\\\n)"
    r"|(?P<newline>\n)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_MAGIC = re.compile(r"%%?\w+|!!?")
# Magics whose arguments are Python.
_PYTHON_MAGICS = frozenset({"%time", "%timeit", "%prun", "%%time", "%%timeit", "%%prun"})
_KEYWORDS_BEFORE_LISTS = frozenset(
    {*("and", "assert", "await", "elif", "else", "if", "in", "is", "lambda", "not", "or"),
     *("print", "return", "while", "yield")}
)  # fmt: skip
_KEY = re.compile(r"[^\W\d]{1,40}")
# The format of a number or a text, and that of a date.
_PLAIN_SPEC = re.compile(
    r"(?:.?[<>=^])?[-+ ]?z?\#?\d{0,2}[_,]?(?:\.\d{1,2})?[a-zA-Z%]?|(?:%-?[a-zA-Z]|[-.,/: ])*"
)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_MASKED_TEXT = re.compile(r"<\d+ characters?, no\. (\d+)>(\n*)")
_MASKED_STRING = re.compile(
    r"(?i:\b[rbuft]{1,2})?(?P<quote>\"\"\"|'''|\"|')<\d+ characters?, no\. (\d+)>(\n*)(?P=quote)"
)
_MASKED_NUMBER = re.compile(r"\b_number_of_\d+_characters_no_(\d+)_?\b")

_QUOTED = re.compile(r"(?:(?<!\w)|(?<=\bb))(?:'([^'\n]*)'|\"([^\"\n]*)\"|`([^`\n]*)`)(?!\w)")
_MASK = re.compile(r"<[^<>\n]*>")
_WORD = re.compile(r"[^\s()\[\]{}<>,;'\"`|]+")
_MARKS = ".:!?*+-/%&^~@="
_PLAIN_WORD = re.compile(r"[^\W\d_]?[^\W\d_A-Z]{0,19}|[A-Z]{2,8}")
_MIN_VALUE_LENGTH = 3
_MAX_DEPTH = 10

_KNOWN_NAMES = frozenset(
    {
        *dir(builtins),
        *(name for kind in (str, bytes, int, float, list, dict, set, tuple) for name in dir(kind)),
        *(kind.__name__ for kind in vars(types).values() if isinstance(kind, type)),
        *("NoneType", "module", "method", "coroutine", "generator", "ufunc", "dtype", "ndarray"),
    }
)


class _Token(NamedTuple):
    type: str
    text: str


class Masks:
    """The masked texts of one failed cell, to be put back into its corrected code."""

    def __init__(self) -> None:
        self.names = set[str]()
        """The names in the code that is masked."""
        self._originals: list[tuple[str, str]] = []  # Whole tokens, and what is inside of them.
        self._numbers: dict[tuple[str, str], int] = {}  # Of prefixes of strings, and what follows.
        self._depth = 0  # Of f-strings within f-strings.

    def code(self, source: str) -> str:
        """Return code with the same lines and names, without values."""
        first = _MAGIC.match(source.lstrip()) if source.lstrip().startswith("%%") else None
        if first and first[0] not in _PYTHON_MAGICS:
            head, name, rest = source.partition(first[0])
            body = rest.strip()
            before, _, after = rest.partition(body) if body else (rest, "", "")
            masked = self._text(body, lines=body.count("\n")) if body else ""
            return f"{head}{name}{before}{masked}{after}"
        tokens = list(_tokens(source))
        brackets, parts = list[str](), list[str]()
        for index, token in enumerate(tokens):
            parts.append(self._masked(token, tokens, index, brackets))
            if token.text in _CLOSERS:
                is_subscript = token.text == "[" and _is_value(_before(tokens, index))
                brackets.append("subscript" if is_subscript else token.text)
            elif token.text in _CLOSERS.values() and brackets:
                brackets.pop()
        return "".join(parts)

    def restore(self, code: str) -> str:
        """Put the masked values back into code that keeps their placeholders."""
        code = _MASKED_STRING.sub(self._original_string, code)
        code = _MASKED_TEXT.sub(self._original_text, code)
        return _MASKED_NUMBER.sub(lambda found: self._original(found[1], found[0]), code)

    def message(
        self,
        text: str,
        names: Collection[str],
        values: Mapping[str, str],
        words: Collection[str] | None = None,
    ) -> str:
        """Return an error's message: words and names, without what is quoted or odd.

        `values` are the texts of variables, which a message may contain, with their names. `words`
        are, in lower case, all that a message can have which is no value; None if not known.
        """
        known = {*names, *self.names, *_KNOWN_NAMES}
        for value in sorted(values, key=len, reverse=True):
            if len(value) >= _MIN_VALUE_LENGTH and value not in known:
                text = text.replace(value, f"<value of {values[value]}>")
        text = _outside_masks(_QUOTED, text, lambda found: self._quoted(found, known))
        text = self._without_literals(text, known)
        template, colon, rest = text.partition(": ")
        hidden = self._words_of_values(rest, values)
        template = _outside_masks(_WORD, template, lambda found: _word(found[0], known, (), words))
        rest = _outside_masks(_WORD, rest, lambda found: _word(found[0], known, hidden, words))
        return template + colon + rest

    def _without_literals(self, text: str, known: Collection[str]) -> str:
        """Return a message in which no line of a literal of the code is left as it is."""
        lines = {
            line.strip(): number
            for number, (_, inside) in enumerate(self._originals)
            for line in inside.splitlines()
        }
        texts = [line for line in lines if len(line) >= _MIN_VALUE_LENGTH and line not in known]
        if not texts:
            return text
        longest_first = sorted(texts, key=len, reverse=True)
        pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        return _outside_masks(pattern, text, lambda found: placeholder(found[0], lines[found[0]]))

    def _words_of_values(self, rest: str, values: Collection[str]) -> set[str]:
        """Return the words behind a message's colon that are values, or occur in one."""
        words = {bare for word in _WORD.findall(rest) if (bare := word.strip(_MARKS))}
        if len(rest.split()) == 1 or not words:
            return words
        pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")
        texts = [*values, *(inside for _, inside in self._originals)]
        return {found for text in texts for found in pattern.findall(text)}

    def _quoted(self, found: re.Match[str], known: Collection[str]) -> str:
        inside = next(group for group in found.groups() if group is not None)
        if all(part in known for part in re.split(r"[.\s()]+", inside) if part):
            return found[0]
        number = self._numbers.get(("", inside))
        quote = found[0][0]
        return f"{quote}{placeholder(inside, number)}{quote}"

    def _masked(self, token: _Token, tokens: list[_Token], index: int, brackets: list[str]) -> str:
        if token.type == "comment":
            return f"# {self._text(token.text[1:].strip())}" if token.text[1:].strip() else "#"
        if token.type == "magic":
            name = _MAGIC.match(token.text)
            rest = token.text[len(name[0]) :] if name else token.text
            if name and name[0] in _PYTHON_MAGICS:
                return name[0] + self.code(rest)
            masked = f" {self._text(rest.strip())}" if rest.strip() else ""
            return (name[0] if name else "") + masked
        if token.type == "string":
            is_key = _is_key(tokens, index, brackets)
            return self._string(token.text, is_key=is_key)
        if token.type == "number":
            return self._number(token.text)
        if token.type == "name":
            self.names.add(token.text)
        return token.text

    def _string(self, token: str, *, is_key: bool) -> str:
        prefix, quote, inside, closing = _parts(token)
        if is_key and _KEY.fullmatch(inside):
            self.names.add(inside)
            return token
        if not inside:
            return token
        if prefix.lower().strip("r") in ("f", "t") and self._depth < _MAX_DEPTH:
            self._depth += 1
            masked = self._f_string(inside)
            self._depth -= 1
            return f"{prefix}{quote}{masked}{closing}"
        kind = prefix.lower().replace("u", "")
        masked = placeholder(inside, self._remember(token, inside, kind))
        masked += "\n" * inside.count("\n")
        return f"{prefix}{quote}{masked}{closing or quote}"

    def _f_string(self, inside: str, *, is_spec: bool = False) -> str:
        """Mask the text of an f-string, and the values within its expressions."""
        parts, start, index = list[str](), 0, 0
        while index < len(inside):
            if inside[index] != "{" or inside[index : index + 2] == "{{":
                index += 2 if inside[index : index + 2] in ("{{", "}}") else 1
                continue
            end = _end_of_expression(inside, index)
            text, field = inside[start:index], inside[index + 1 : end]
            parts += [self._literal(text, is_spec=is_spec), "{", self._field(field)]
            start = index = end
            if end < len(inside):
                parts.append("}")
                start = index = end + 1
        return "".join([*parts, self._literal(inside[start:], is_spec=is_spec)])

    def _field(self, inside: str) -> str:
        """Mask an expression of an f-string, and the text of its format."""
        end = _end_of_value(inside)
        value, spec = self.code(inside[:end]), inside[end:]
        if not spec:
            return value
        if self._depth >= _MAX_DEPTH:
            return f"{value}:{self._literal(spec[1:])}"
        self._depth += 1
        masked = self._f_string(spec[1:], is_spec=True)
        self._depth -= 1
        return f"{value}:{masked}"

    def _literal(self, text: str, *, is_spec: bool = False) -> str:
        if is_spec and _PLAIN_SPEC.fullmatch(text):
            return text
        return self._text(text, lines=text.count("\n")) if text.strip() else text

    def _number(self, token: str) -> str:
        digits = re.sub(r"\D", "", token).strip("0")
        letters = re.sub(r"[\d._eEjJ]", "", token)
        if len(digits) <= 2 and len(letters) <= 1:
            return token
        number = self._remember(token, token)
        return f"_number_of_{len(token)}_characters_no_{number}_"

    def _text(self, inside: str, *, lines: int = 0) -> str:
        return placeholder(inside, self._remember(inside, inside)) + "\n" * lines

    def _remember(self, token: str, inside: str, kind: str = "") -> int:
        # Equal values have one placeholder, so that the model sees that they are equal.
        number = self._numbers.setdefault((kind, inside), len(self._originals))
        if number == len(self._originals):
            self._originals.append((token, inside))
        elif self._originals[number][0] == inside:  # So far without quotes, as in a comment.
            self._originals[number] = (token, inside)
        return number

    def _original_string(self, found: re.Match[str]) -> str:
        number = int(found[2])
        token, inside = self._originals[number] if number < len(self._originals) else ("", "")
        # What had no quotes of its own, as in an f-string, takes those that it has here.
        return found[0] if token == inside else token

    def _original_text(self, found: re.Match[str]) -> str:
        # The line ends behind the placeholder of a text stand for those within the text.
        original = self._original(found[1], found[0].rstrip("\n"))
        return original + found[2][original.count("\n") :]

    def _original(self, number: str, masked: str) -> str:
        known = int(number) < len(self._originals)
        return self._originals[int(number)][1] if known else masked


def placeholder(text: str, number: int | None = None) -> str:
    """Return what stands for a text: its length, and its number where it is put back."""
    size = f"{len(text)} character{'' if len(text) == 1 else 's'}"
    return f"<{size}>" if number is None else f"<{size}, no. {number}>"


def _tokens(source: str) -> Iterator[_Token]:
    index, starts_line, after_equals = 0, True, False
    while index < len(source):
        is_magic = source[index] in "%!" and source[index + 1 : index + 2] != "="
        if is_magic and (starts_line or after_equals):
            end = _end_of_line(source, index)
            yield _Token("magic", source[index:end])
            index = end
            continue
        found = _TOKEN.match(source, index)
        if found is None:
            return
        kind, text = found.lastgroup or "other", found[0]
        if kind == "opening":
            kind, text = "string", source[index : _end_of_string(source, index, text)]
        yield _Token(kind, text)
        index += len(text)
        if kind != "space":
            starts_line, after_equals = kind == "newline", text == "="


def _end_of_line(source: str, index: int) -> int:
    end = source.find("\n", index)
    return len(source) if end < 0 else end


def _end_of_string(source: str, start: int, opening: str, depth: int = 0) -> int:
    """Return the index behind a string; one that is not closed ends with its line or the text."""
    quote = opening.lstrip("rRbBuUfFtT")
    is_formatted = "f" in opening.lower() or "t" in opening.lower()
    index = start + len(opening)
    while index < len(source):
        if source.startswith(quote, index):
            return index + len(quote)
        if source[index] == "\\":
            index += 2
        elif source[index] == "\n" and len(quote) == 1:
            return index
        elif is_formatted and source[index] == "{" and source[index : index + 2] != "{{":
            index = _end_of_expression(source, index, quote, depth + 1)
        else:
            index += 2 if is_formatted and source[index : index + 2] == "{{" else 1
    return len(source)


def _end_of_expression(text: str, index: int, quote: str = "", nested: int = 0) -> int:
    """Return the index of the brace or quote that ends an expression in an f-string."""
    depth = 0
    while index < len(text) and nested < _MAX_DEPTH:
        # Since Python 3.12 the quotes of the string itself may be used within.
        if quote and sys.version_info < (3, 12) and text.startswith(quote, index):
            return index
        found = _TOKEN.match(text, index)
        if found is None:
            break
        if found.lastgroup == "opening":
            index = _end_of_string(text, index, found[0], nested)
            continue
        if found[0] == "\n" and len(quote) == 1 and sys.version_info < (3, 12):
            return index
        depth += (found[0] == "{") - (found[0] == "}")
        if depth == 0:
            return index
        index += 1 if found.lastgroup == "comment" else len(found[0])
    return len(text)


def _end_of_value(field: str) -> int:
    """Return the index of the colon before a format, behind the expression of an f-string."""
    depth = index = 0
    for token in _tokens(field):
        depth += (token.text in _CLOSERS) - (token.text in _CLOSERS.values())
        if token.text == ":" and depth == 0:
            return index
        index += len(token.text)
    return len(field)


def _parts(token: str) -> tuple[str, str, str, str]:
    """Return the prefix of a string, its quotes, what is inside, and the closing quotes if any."""
    body = token.lstrip("rRbBuUfFtT")
    prefix = token[: len(token) - len(body)]
    quote = body[:3] if body[:3] in ('"""', "'''") else body[:1]
    is_closed = len(body) >= 2 * len(quote) and body.endswith(quote)
    inside = body[len(quote) : -len(quote)] if is_closed else body[len(quote) :]
    return prefix, quote, inside, quote if is_closed else ""


def _before(tokens: list[_Token], index: int) -> _Token | None:
    earlier = (tokens[i] for i in range(index - 1, -1, -1))
    return next((token for token in earlier if token.type not in ("space", "newline")), None)


def _after(tokens: list[_Token], index: int) -> str:
    later = (tokens[i] for i in range(index + 1, len(tokens)))
    return next((token.text for token in later if token.type not in ("space", "newline")), "")


def _is_value(token: _Token | None) -> bool:
    """Return whether a bracket behind a token is a subscript, and not the beginning of a list."""
    if token is None:
        return False
    if token.type == "name":
        return token.text not in _KEYWORDS_BEFORE_LISTS
    return token.text in (")", "]")


def _is_key(tokens: list[_Token], index: int, brackets: list[str]) -> bool:
    if not brackets:
        return False
    before, after = _before(tokens, index), _after(tokens, index)
    if brackets[-1] == "subscript":
        return before is not None and before.text == "[" and after == "]"
    return brackets[-1] == "{" and after == ":"


def _outside_masks(
    pattern: re.Pattern[str], text: str, replace: Callable[[re.Match[str]], str]
) -> str:
    parts, start = list[str](), 0
    for mask in _MASK.finditer(text):
        parts += [pattern.sub(replace, text[start : mask.start()]), mask[0]]
        start = mask.end()
    return "".join([*parts, pattern.sub(replace, text[start:])])


def _word(
    word: str, known: Collection[str], hidden: Collection[str], words: Collection[str] | None
) -> str:
    bare = word.strip(_MARKS)
    digits = re.sub(r"\D", "", bare).strip("0")
    is_number = re.fullmatch(r"[\d.]*", bare) is not None
    if is_number and len(digits) <= 2:
        return word
    is_of_template = bare not in hidden and (words is None or bare.lower() in words)
    is_plain = is_of_template and _PLAIN_WORD.fullmatch(bare) is not None
    if is_plain or all(part in known for part in bare.split(".")):
        return word
    return word.replace(bare, placeholder(bare, None))
