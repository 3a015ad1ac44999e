"""The identity of functions, by which a tool stays allowed."""

from __future__ import annotations

import cmath
import gc
import io
import math
import os
import re
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial, wraps
from types import FunctionType
from typing import Any

import pytest

from chatnb.tools.identity import function_digest
from tests.support.hangs import ends

HIDING = """
class Agent:
    def __repr__(self):
        return "Agent()"
    def __call__(self, path: str) -> str:
        return {answer!r}
"""
SOURCE = "def look(path, limit={limit}):\n    {body}"


def made(body: str = "return path[:limit]", limit: int = 3) -> Callable[..., Any]:
    """A function of a notebook, as its cell makes it."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(SOURCE.format(body=body, limit=limit), namespace)
    return namespace["look"]


def holding(value: object) -> Callable[..., Any]:
    def look(path: str) -> object:
        return path, value

    return look


def wrapped(function: Callable[..., Any], word: str) -> Callable[..., Any]:
    @wraps(function)
    def look(*args: Any) -> Any:
        return word, function(*args)

    return look


class Folder:
    def look(self, path: str) -> str:
        return path


SAME: list[Callable[[], Callable[..., Any]]] = [
    made,
    lambda: holding(7),
    lambda: partial(made(), limit=4),
    lambda: wrapped(made(), "a"),
    lambda: len,
    lambda: layers(made(), 20),
    lambda: holding(re),
    lambda: holding(re.compile("a")),
    lambda: holding(datetime(2026, 1, 1, tzinfo=UTC)),
    lambda: holding(frozenset({1, "a"})),
    lambda: holding(10**6_000),
    lambda: holding(int),
]


class Odd(partial[Any]):
    """A partial that does something else."""

    def __call__(self, *args: Any) -> Any:
        return args


class Slots:
    """An object that no reference can be weak to."""

    __slots__ = ()


class Wordless:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")

    def look(self, path: str) -> str:
        return path


def layers(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    for _ in range(count):
        function = wrapped(function, "a")
    return function


def cleanup(body: str) -> Callable[..., Any]:
    return made(body=f"try:\n        {body}\n    except OSError:\n        return path")


def without_handlers(function: Any) -> Callable[..., Any]:
    return FunctionType(function.__code__.replace(co_exceptiontable=b""), {}, "look")


FOLDER, OTHER_FOLDER = Folder(), Folder()
LONG = "a" * 300
OTHERS: list[Callable[..., Any]] = [
    made(),
    made(body="return path[limit:]"),
    made(body="return open(path).read()"),
    made(body="return eval(path).read()"),
    made(limit=4),
    holding(7),
    holding(8),
    holding(made()),
    partial(made(), limit=4),
    partial(made(), limit=5),
    wrapped(made(), "a"),
    wrapped(made(), "b"),
    wrapped(made(limit=9), "a"),
    FOLDER.look,
    OTHER_FOLDER.look,
    len,
    print,
    Folder,
    Odd(made(), limit=4),
    io.open,
    os.open,
    math.log,
    cmath.log,
    *(holding(re.compile(LONG + end, flags)) for end in "bc" for flags in (0, re.VERBOSE)),
    *(layers(made(limit=limit), depth) for limit in (6, 7) for depth in (1, 20, 100, 200)),
    cleanup("return path"),
    without_handlers(cleanup("return path")),
    holding(frozenset({1, "a"})),
    holding({1, "a"}),
    holding(10**6_000),
    holding(datetime(2026, 1, 1, tzinfo=UTC)),
    holding(datetime(2026, 1, 1)),
    holding(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
]


@pytest.mark.parametrize("make", SAME)
def test_a_function_is_the_same_when_its_cell_runs_again(
    make: Callable[[], Callable[..., Any]],
) -> None:
    """Equal code with equal values is one function, in one context."""
    assert function_digest(make(), "a.ipynb") == function_digest(make(), "a.ipynb")
    assert function_digest(make(), "a.ipynb") != function_digest(make(), "b.ipynb")


def test_functions_that_differ_anywhere_are_others() -> None:
    """In their code, names, defaults, bound values, wrappers or objects."""
    digests = [function_digest(function) for function in OTHERS]
    assert len(set(digests)) == len(OTHERS)


def redefined(answer: str) -> Any:
    """A class of a notebook whose objects hide what they are, as its cell makes it."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(HIDING.format(answer=answer), namespace)
    return namespace["Agent"]


@pytest.mark.parametrize(
    "make",
    [
        lambda answer: redefined(answer)(),
        lambda answer: redefined(answer),
        lambda answer: redefined(answer)().__call__,
        lambda answer: holding(redefined(answer)()),
        lambda answer: partial(made(), redefined(answer)()),
        lambda answer: holding({redefined(answer)()}),
    ],
    ids=["object", "class", "method", "held", "partial", "in a set"],
)
def test_a_repr_stands_for_nothing(make: Callable[[str], Any]) -> None:
    """A tool defined again, with the same repr, is another one than that which was allowed."""
    allowed = make("safe")
    assert function_digest(allowed) == function_digest(allowed)
    digests = {function_digest(allowed)}
    for _ in range(20):  # Some of them have the address of the one before.
        digests.add(function_digest(make("evil")))
    assert len(digests) == 21


def test_a_function_that_holds_itself_has_an_identity() -> None:
    """The description of what it holds ends."""

    def look(path: str) -> Any:
        return look

    assert function_digest(look) == function_digest(look)


@pytest.mark.parametrize(
    "make",
    [
        lambda number: [number].append,
        lambda number: holding(Slots()),
        lambda number: partial(next, iter([number])),
        lambda number: holding(memoryview(bytes(number))),
    ],
    ids=["method of a list", "object", "iterator", "memory"],
)
def test_an_address_stands_for_nothing(make: Callable[[int], Any]) -> None:
    """Objects that end get theirs to the next ones, which are not allowed."""
    assert len({function_digest(make(number)) for number in range(30)}) == 30
    one = make(1)
    assert function_digest(one) == function_digest(one)


def test_an_object_need_not_have_words() -> None:
    """The identity of a function does not depend on how the function is shown."""
    one, other = Wordless(), Wordless()
    assert function_digest(one.look) == function_digest(one.look) != function_digest(other.look)


def test_functions_that_hold_each_other_are_described_once() -> None:
    """As those that one function makes; the work does not grow with the ways through them."""

    def tools(count: int) -> Any:
        names = [f"look_{number}" for number in range(count)]
        bodies = "".join(f"    def {name}(): return {', '.join(names)}\n" for name in names)
        namespace: dict[str, Any] = {}
        exec(f"def make():\n{bodies}    return look_0", namespace)
        return namespace["make"]()

    assert ends(lambda: function_digest(tools(30)), 60) == function_digest(tools(30))
    assert function_digest(tools(30)) != function_digest(tools(29))


def test_objects_that_are_gone_leave_nothing_behind() -> None:
    """Digests of functions that hold objects of their own take no memory once these are gone."""

    class Table:
        """An object without a value of its own."""

    def digest(held: object) -> str:
        return function_digest(lambda: held)

    digest(Table())
    gc.collect()
    tracemalloc.start()
    tables = [Table() for _ in range(2_000)]
    assert len(set(map(digest, tables))) == 2_000
    tables.clear()
    gc.collect()
    grew, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grew < 2_000 * 100
