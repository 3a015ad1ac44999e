"""Fill the notebook's values into a prompt."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import islice
from keyword import iskeyword
from numbers import Number
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from IPython.core.error import UsageError

from chatnb.errors import error_line
from chatnb.markdown.regions import RegionMap
from chatnb.notebook.attachments import Attachment, Files, content_with_attachments
from chatnb.notebook.pictures import (
    ARRAY_FORMAT,
    array_attachment,
    attachment_of,
    file_at,
    shown_bytes,
)
from chatnb.notebook.values import is_table, text_and_cut
from chatnb.schema.messages import HumanMessage

# Each part ends before another could begin, so that the work grows with the length only.
_BRACES = re.compile(
    r"""
      \{\{ (?P<escaped> [^{}\s][^{}\n]*? ) \}\}
    | \{\{ (?: (?! \{\{ | \}\} ). )* \}\}
    | \{% (?: (?! \{% | %\} ). )* %\}
    | \{\# (?: (?! \{\# | \#\} ). )* \#\}
    | (?<![\w\\]) (?: [fF][rR]? | [rR][fF] ) (?P<quote> \"\"\" | ''' | " | ' )
        (?: \\. | (?! (?P=quote) )[^\\] )* (?P=quote)
    | (?: \\[a-zA-Z]+\*? | [\^_] ) (?: \[[^\[\]\n]*\] )? (?: \{[^{}\n]*\} )+
    | \{ (?P<reference> [^{}\n]+ ) \}
    """,
    re.VERBOSE | re.DOTALL,
)
# Not `{x:1}`, which is JavaScript's as well: something only a format has must be in it.
_FORMAT = re.compile(
    r"""
    (?= .*[.,%<>^=+] | 0?\d+[a-zA-Z] )
    (?:.?[<>=^])? [-+]? \#? \d* [,_]? (?:\.\d+)? [a-zA-Z%]?
    | (?=.*%[a-zA-Z]) [^\s"'][^"']*
    """,
    re.VERBOSE,
)
_NUMBER_FORMATS = frozenset("bcdeEfFgGnoxX")
_CONVERSIONS: dict[int, Callable[[Any], Any]] = {ord("r"): repr, ord("s"): str, ord("a"): ascii}
# Before a brace: shells, Ruby, paths of an API, the ends of names.
_CODE_BEFORE = re.compile(r"[\w$#%@\\/]\Z")
# On a line without its references: no sentence has it.
_CODE_ON_LINE = re.compile(r"[{}=;]|\w\(|<[\w/]|[\"']\s*:|://|::|->")
_MAX_REFERENCE = 500
_MAX_NAMED = 3
_LIKENESS = 0.7  # Of a name that was mistyped to the one that was meant.


class Prompt(NamedTuple):
    """A prompt to send, and notes for the reader: what was not filled in, or not whole."""

    text: str
    notes: list[str]
    attachments: Sequence[Attachment] = ()

    def message(self) -> tuple[HumanMessage, Files]:
        """Return the message to send, and which of its parts are files.

        Raises:
            UsageError: If a file is too large, or of no kind that can be sent.
        """
        try:
            content, files = content_with_attachments(self.text, self.attachments)
        except ValueError as error:
            raise UsageError(f"%%chat: {error}") from None
        return HumanMessage(content), files


def prompt_from_cell(cell: str, namespace: Mapping[str, Any], paths: Sequence[str] = ()) -> Prompt:
    """Return the prompt of a cell, with the values of variables, and with files."""
    if not cell.strip():
        raise UsageError("Write the prompt on the lines below %%chat.")
    try:
        prompt = fill(cell.strip("\n"), namespace)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None
    files = [*prompt.attachments, *(_file_at(path) for path in paths)]
    return prompt._replace(attachments=files)


def _file_at(path: str) -> Attachment:
    try:
        return file_at(path)
    except ValueError as error:
        raise UsageError(f"%%chat --file {path}: {error}. Nothing was sent.") from None


def fill(template: str, namespace: Mapping[str, Any]) -> Prompt:
    """Fill the values of variables into a prompt."""
    # `{name}`, `{name.attribute}`, `{name[0]}`, `{name[:5]}`, `{name["key"]}` and `{name:.2f}` are
    # replaced when `name` is a variable; every other brace stays as it is, and so do the braces of
    # f-strings, of LaTeX commands and of Jinja. `{{name}}` writes `{name}`.
    filling = _Filling(template, namespace)
    text = _BRACES.sub(filling.replacement, template)
    return Prompt(text, filling.notes(), list(filling.attachments.values()))


class _Reference(NamedTuple):
    """The text between two braces, read as Python reads those of an f-string."""

    value: ast.expr
    conversion: int = -1
    format: str | None = None

    @property
    def path(self) -> _Path | None:
        """The variable and the way to its part; None for anything that would run code."""
        return _path(self.value)

    @property
    def is_format(self) -> bool:
        """True unless it has a format that could be something else."""
        return self.format is None or _FORMAT.fullmatch(self.format) is not None


class _Path(NamedTuple):
    """A variable, and the attributes and items that lead to a part of it."""

    name: str
    steps: list[tuple[str, Callable[[Any], Any]]]  # As they are written, and what they do.


class _Filling:
    """The references of one prompt: their values, and notes about those that have none."""

    def __init__(self, template: str, namespace: Mapping[str, Any]) -> None:
        self._template = template
        self._namespace = namespace
        self._unknown = dict[str, str]()  # The names by the references.
        self._code = dict[str, _Reference]()
        self._others = dict[str, None]()
        self.attachments = dict[str, Attachment]()
        self._line_end = -1
        self._is_sentence = False

    def replacement(self, match: re.Match[str]) -> str:
        """Return the text for one pair of braces."""
        escaped: str | None = match["escaped"]
        reference: str = match["reference"] or ""
        if escaped is not None and self._is_filled(escaped):
            return "{" + escaped + "}"
        parsed = _parse(reference)
        if parsed is None:
            return match[0]
        path = parsed.path
        if path is None or path.name not in self._namespace:
            self._note_unfilled(match, parsed, path)
            return match[0]
        if reference != reference.strip():  # JavaScript writes `{ name }`.
            self._note(match, f"write {{{reference.strip()}}}, without spaces")
            return match[0]
        return self._filled(match, parsed, path)

    def notes(self) -> list[str]:
        """Return what there is to say under the reply."""
        notes = list[str]()
        if self._unknown:
            names = islice(self._unknown.values(), _MAX_NAMED)
            meant = _listed([f"{{{known}}}" for name in names for known in self._known(name)])
            notes.append(
                f"{_sent_as_written(self._unknown)}: no such variable."
                + (f" Did you mean {meant}?" if meant else "")
            )
        if self._code:
            example = next(iter(self._code.values()))
            braces = f"{{value:{example.format}}}" if example.format else "{value}"
            notes.append(
                f"{_sent_as_written(self._code)}: a prompt runs no code. Write "
                f"value = {ast.unparse(example.value)} in a cell above, and {braces} here."
            )
        return [*notes, *self._others]

    def _is_filled(self, reference: str) -> bool:
        parsed = _parse(reference)
        path = parsed and parsed.path
        return path is not None and path.name in self._namespace

    def _filled(self, match: re.Match[str], parsed: _Reference, path: _Path) -> str:
        done = ""
        try:
            value = self._namespace[path.name]
            for done, step in path.steps:  # noqa: B007 (the error names it)
                value = step(value)
            done = ""
            attachment = _attachment(match["reference"], parsed, value)
            if attachment is not None:
                return self._attached(match, attachment)
            if parsed.conversion >= 0 or parsed.format is not None:
                return self._formatted(match, parsed, value)
            text, cut = text_and_cut(value)
        except Exception as error:  # Objects may raise anything.
            if not self._is_prose(match):
                return match[0]
            missing = f": {path.name!r} has no {done!r}" if done else " cannot be sent"
            raise LookupError(
                f"{match[0]} in the prompt{missing} ({error_line(error)}). "
                f"Write {{{match[0]}}} for literal braces."
            ) from error
        if cut:
            self._others[f"Of {match[0]} {cut}."] = None
        if isinstance(value, Path):
            missing = "a folder" if value.is_dir() else "no file that is there"
            self._others[f"{match[0]} is {missing}; its path was sent."] = None
        return _on_its_own_lines(text, match) if is_table(value) else text

    def _attached(self, match: re.Match[str], attachment: Attachment) -> str:
        """Keep a file that goes along, and return its name for the text."""
        self.attachments[match[0]] = attachment
        size = shown_bytes(len(attachment.data))
        self._others[f"{match[0]} was sent as the file {attachment.name}, {size}."] = None
        return f"[{attachment.name}]"

    def _formatted(self, match: re.Match[str], parsed: _Reference, value: Any) -> str:
        """Return a value as a format specification says; `{x:1}` is none of a prompt."""
        given = parsed.format
        is_letter = given in _NUMBER_FORMATS and given not in self._namespace
        if not (parsed.is_format or (is_letter and isinstance(value, Number))):
            return match[0]
        try:
            return format(_CONVERSIONS.get(parsed.conversion, _same)(value), given or "")
        except (ValueError, TypeError) as error:
            self._note(match, error_line(error))
            return match[0]

    def _note_unfilled(self, match: re.Match[str], parsed: _Reference, path: _Path | None) -> None:
        reference: str = match["reference"]
        if path is None:
            if _runs_code(parsed.value, self._namespace) and self._is_prose(match):
                self._code[match[0]] = parsed
        elif parsed.is_format and reference == reference.strip() and self._is_in_sentence(match):
            self._unknown[match[0]] = path.name

    def _note(self, match: re.Match[str], words: str) -> None:
        if self._is_prose(match):
            self._others[f"{match[0]} was sent as it stands: {words}."] = None

    @cached_property
    def _regions(self) -> RegionMap:
        return RegionMap(self._template)

    def _known(self, name: str) -> list[str]:
        """Return the variable that a mistyped name stands for, if there is one."""
        names = [name for name in self._namespace if not name.startswith("_")]
        return get_close_matches(name, names, n=1, cutoff=_LIKENESS)

    def _is_prose(self, match: re.Match[str]) -> bool:
        """Return whether braces stand in neither code nor a formula."""
        before = self._template[max(0, match.start() - 1) : match.start()]
        return not _CODE_BEFORE.match(before) and self._regions.at(match.start()).type == "text"

    def _is_in_sentence(self, match: re.Match[str]) -> bool:
        """Return whether braces stand in prose, on a line that does not look like code."""
        if match.start() > self._line_end:  # The references of a line come one after the other.
            start = self._template.rfind("\n", 0, match.start()) + 1
            end = self._template.find("\n", match.end())
            self._line_end = end if end >= 0 else len(self._template)
            rest = _BRACES.sub("", self._template[start : self._line_end])
            self._is_sentence = not _CODE_ON_LINE.search(rest)
        return self._is_sentence and self._is_prose(match)


def _attachment(reference: str, parsed: _Reference, value: Any) -> Attachment | None:
    name = re.sub(r"\W+", "_", reference.partition(":")[0]).strip("_")
    if parsed.format == ARRAY_FORMAT:
        return array_attachment(name, value)
    plain = parsed.conversion < 0 and parsed.format is None
    return attachment_of(name, value) if plain else None


@lru_cache(maxsize=64)
def _parse(reference: str) -> _Reference | None:
    """Read a reference by the rules of f-strings; None for what is none in Python."""
    if reference.isidentifier() and not iskeyword(reference):
        return _Reference(ast.Name(reference))
    if len(reference) > _MAX_REFERENCE:
        return None
    try:
        read = ast.parse(f"f'''{{{reference}}}'''", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    match read:
        case ast.JoinedStr(values=[ast.FormattedValue() as only]):
            given = only.format_spec
            format = None if given is None else "".join(map(_constant_text, ast.walk(given)))
            return _Reference(only.value, only.conversion, format)
        case _:  # Such as `{name=}`.
            return None


def _constant_text(node: ast.AST) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _path(node: ast.expr) -> _Path | None:
    match node:
        case ast.Name(id=name):
            return _Path(name, [])
        case ast.Attribute(value=inner, attr=attribute):
            step: tuple[str, Callable[[Any], Any]] = f".{attribute}", attrgetter(attribute)
        case ast.Subscript(value=inner, slice=index):
            try:
                step = f"[{ast.unparse(index)}]", itemgetter(_index(index))
            except ValueError:
                return None
        case _:
            return None
    path = _path(inner)
    return path and _Path(path.name, [*path.steps, step])


def _index(node: ast.expr) -> Any:
    """Return an index or a key that is written out; raise a ValueError for any other."""
    match node:
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(*(end and _index(end) for end in (lower, upper, step)))
        case ast.Tuple(elts=elements):
            return tuple(map(_index, elements))
        case _:
            return ast.literal_eval(node)


def _runs_code(node: ast.expr, namespace: Mapping[str, Any]) -> bool:
    """Return whether an expression would run code with a variable."""
    if isinstance(node, ast.Tuple | ast.Name | ast.Starred | ast.Lambda):
        return False
    names = (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return any(name in namespace for name in names)


def _same(value: Any) -> Any:
    return value


def _sent_as_written(references: Collection[str]) -> str:
    if len(references) == 1:
        return f"{next(iter(references))} was sent as it stands"
    named = [*islice(references, _MAX_NAMED)]
    others = len(references) - len(named)
    return f"{_listed([*named, f'{others} more'] if others else named)} were sent as they stand"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _on_its_own_lines(table: str, match: re.Match[str]) -> str:
    """Return a table for its place in the template, which Markdown reads only as lines."""
    before = match.string[: match.start()].rpartition("\n")[2]
    after = match.string[match.end() :].partition("\n")[0]
    return ("\n\n" if before.strip() else "") + table + ("\n\n" if after.strip() else "")
