"""The identity of functions, by which a tool stays allowed."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from chatnb.tools.identity import function_digest

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
]
FOLDER, OTHER_FOLDER = Folder(), Folder()
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
