"""The reference: the docstrings of public names say all that a caller has to know."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import chatnb.errors
from tests.test_exports import MODULES

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples):\n", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):", re.MULTILINE)


class Name(NamedTuple):
    """A public class or function, or a public method of a public class."""

    path: str
    value: Any
    owner: type | None = None

    def __str__(self) -> str:
        return self.path


class Doc(NamedTuple):
    """A docstring, cut into its sections."""

    summary: str
    text: str
    sections: dict[str, str]

    def names(self) -> set[str]:
        """The parameters that it describes, in a section or in backticks within a sentence."""
        listed = self.sections.get("Args", "") + self.sections.get("Attributes", "")
        entries = {name for entry in ENTRY.findall(listed) for name in re.split(", ", entry)}
        quoted = re.findall(r"`(\w+)\b[^`]*`", self.text.partition("Example:\n")[0])
        return {name.lstrip("*") for name in entries} | set(quoted)


def doc_of(value: object) -> Doc:
    """Return a docstring; a method that has none shares that of the method which it overrides."""
    text = inspect.getdoc(value) or ""
    if inspect.isclass(value):
        text = inspect.cleandoc(value.__dict__.get("__doc__") or "")
    parts = SECTION.split(text)
    return Doc(text.partition("\n")[0], text, dict(zip(parts[1::2], parts[2::2], strict=True)))


def public_names() -> Iterator[Name]:
    """The classes and functions of the public modules, each once."""
    seen = set[int]()
    for module_name in [*MODULES, "chatnb.errors"]:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", error_names()):
            value = getattr(module, name)
            if id(value) not in seen and (inspect.isclass(value) or inspect.isfunction(value)):
                seen.add(id(value))
                yield Name(f"{module_name}.{name}", value)


def error_names() -> list[str]:
    """The errors, whose module has them all."""
    module = chatnb.errors
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__.startswith(module.__name__)
    ]


def methods_of(name: Name) -> Iterator[Name]:
    """The public methods that a class defines."""
    for attribute, member in vars(name.value).items() if inspect.isclass(name.value) else ():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not attribute.startswith("_") and inspect.isfunction(function):
            yield Name(f"{name}.{attribute}", getattr(name.value, attribute), name.value)


def parameters(called: Callable[..., Any]) -> set[str]:
    """The parameters that a caller may give; those behind `**options` are described as one."""
    # Signatures of chat models list each option.
    code = inspect.unwrap(called).__code__
    flags = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + flags]
    # What is annotated with Never only refuses what is none of the others.
    refusing = {name for name, type_ in called.__annotations__.items() if type_ == "Never"}
    unnamed = {"self", "cls", *refusing}
    return {name for name in names if name not in unnamed and not name.startswith("_")}


def raised(function: Callable[..., Any]) -> set[str]:
    """The errors that a function raises itself, by their names."""
    written = inspect.unwrap(function)
    if written.__code__.co_filename == "<string>":  # The constructor of a dataclass.
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(written)))
    errors = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            errors.add(ast.unparse(error))
    return {error for error in errors if error[:1].isupper()} - {"NotImplementedError"}


def fields_described(cls: type) -> set[str]:
    """The fields of a class that a string below them describes, or a base class in its Args."""
    return set[str]().union(*(described_in(base) for base in cls.__mro__[:-1]))


@cache
def described_in(cls: type) -> set[str]:
    """The fields that one class describes, without its bases."""
    names = doc_of(cls).names()
    if not cls.__module__.startswith("chatnb"):
        return names
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    return names | {
        ast.unparse(field.target)
        for field, below in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


def has_example(value: Any) -> bool:
    """Return whether a class or function has an example.

    An error that adds nothing to its base shares that of the base.
    """
    if {"Example", "Examples"} & doc_of(value).sections.keys():
        return True
    is_error = inspect.isclass(value) and issubclass(value, BaseException)
    adds = {"__init__", "_text"} & vars(value).keys() if is_error else set[str]()
    return is_error and not adds and has_example(value.__bases__[0])


def test_each_name_has_an_example() -> None:
    """Each public class and function has an example, which runs as a doctest."""
    names = list(public_names())
    assert len(names) > 200
    assert [str(name) for name in names if not has_example(name.value)] == []


def test_each_name_says_what_a_caller_has_to_know() -> None:
    """Each parameter is described, what is returned, and the errors that are its own."""
    members = [member for name in public_names() for member in (name, *methods_of(name))]
    assert [gap for member in members for gap in gaps(member)] == []


def gaps(name: Name) -> Iterator[str]:
    """Yield a line for each thing that a docstring does not say."""
    called = constructor(name.value) if inspect.isclass(name.value) else name.value
    docs = [doc_of(name.value), *twins(name)]
    if not docs[0].summary:
        yield f"{name} has no docstring"
    if called is None:
        return
    described = set[str]().union(*(doc.names() for doc in docs))
    if inspect.isclass(name.value):
        described |= fields_described(name.value)
    yield from (f"{name}: parameter {lacks}" for lacks in parameters(called) - described)
    if not (inspect.isclass(name.value) or returns_nothing(called) or any(map(says_result, docs))):
        yield f"{name}: result"
    named = re.findall(r"\w+", " ".join(doc.text for doc in [*docs, doc_of(name.owner or object)]))
    yield from (f"{name}: raises {error}" for error in raised(called) - set(named))


def constructor(cls: type) -> Callable[..., Any] | None:
    """Return the constructor of a class if chatnb wrote it, or its fields did."""
    found = cls.__init__
    return found if inspect.isfunction(found) and "chatnb" in found.__module__ else None


def twins(name: Name) -> Iterator[Doc]:
    """The docstring of `invoke`, to which that of `ainvoke` refers."""
    method = name.path.rpartition(".")[2]
    sync = getattr(name.owner, method[1:], None)
    if sync is not None and method.startswith("a") and f"`{method[1:]}`" in doc_of(name.value).text:
        yield doc_of(sync)


def says_result(doc: Doc) -> bool:
    """Return whether a docstring has a section for the result, or opens with it."""
    says = re.search(r"\b([Rr]eturn|Yield|Make)\b", doc.summary)
    return bool(says) or not doc.sections.keys().isdisjoint({"Returns", "Yields"})


def returns_nothing(called: Callable[..., Any]) -> bool:
    """Return whether a function has no result, or one that is ignored, as of callbacks."""
    return inspect.signature(called).return_annotation in {"None", "object", None}
