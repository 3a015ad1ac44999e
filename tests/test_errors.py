from __future__ import annotations

import pickle
from importlib.metadata import PackageNotFoundError
from typing import NoReturn

import pydantic
import pytest

from chatnb.errors import BatchError, BatchInterrupted, documentation
from chatnb.errors.base import error_line, error_message, error_notes, sentences


class Guarded(Exception):
    """Has a `results` of its own that cannot be set."""

    @property
    def results(self) -> str:
        return "mine"


def failures() -> list[Exception]:
    with pytest.raises(pydantic.ValidationError) as invalid:
        pydantic.TypeAdapter(int).validate_python("x")
    group = ExceptionGroup("several", [ValueError("a")])
    return [invalid.value, group, StopIteration(1), StopAsyncIteration(), Guarded("no"), OSError(2)]


@pytest.mark.parametrize("failure", failures(), ids=lambda failure: type(failure).__name__)
def test_a_batch_error_keeps_everything_whatever_failed(failure: Exception) -> None:
    """Classes that are made in a way of their own are the cause, and nothing is lost."""
    error = BatchError.of({0: "fine"}, {1: failure}, [2])
    assert isinstance(error, BatchError)
    assert error.failures == {1: failure}
    assert error.__cause__ is failure
    assert error.remaining == [2]
    assert error.results == {0: "fine"}


@pytest.mark.parametrize(
    "made", [BatchError.of({0: 1}, {1: ValueError("no")}, []), BatchInterrupted({0: 1}, {}, [1])]
)
def test_what_ended_a_batch_can_be_pickled(made: BatchError | BatchInterrupted) -> None:
    """It comes back from another process with what finished."""
    again = pickle.loads(pickle.dumps(made))
    assert again.results == {0: 1}
    assert type(again).__name__ == type(made).__name__


def test_a_batch_error_says_how_many_and_which_failed_first() -> None:
    """The notes of the failure come before its own, and its attributes are kept."""
    first, second = OSError(2, "gone"), ValueError("no")
    first.add_note("See the manual.")
    error = BatchError.of({0: "a", 3: "b"}, {4: first, 1: second}, [2, 5, 6])
    assert isinstance(error, OSError)
    assert str(error) == (
        "2 of 7 inputs failed, 2 finished, 3 not started; input 4: FileNotFoundError: "
        "[Errno 2] gone"
    )
    assert [note.split()[0] for note in error.__notes__] == ["See", "See"]
    assert error.__notes__[0] == "See the manual."
    assert str(BatchError({}, {0: second}, [])) == (
        "1 of 1 inputs failed, 0 finished; input 0: ValueError: no"
    )


class Speechless(Exception):
    """Has no message that can be shown."""

    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "line", "message"),
    [
        (ValueError("no"), "ValueError: no", "no"),
        (KeyboardInterrupt(), "KeyboardInterrupt", ""),
        (ValueError("half \ud83d"), "ValueError: half ?", "half ?"),
        (
            Speechless(),
            "Speechless: <no message: RuntimeError in its __str__>",
            "<no message: RuntimeError in its __str__>",
        ),
    ],
)
def test_any_error_is_told_in_a_line(error: BaseException, line: str, message: str) -> None:
    """The line is made of any error, also one whose text raises."""
    assert (error_line(error), error_message(error)) == (line, message)


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        (["a", 7, "half \ud83d"], ["a", "half ?"]),
        (("a",), ["a"]),
        ("abc", []),
        (None, []),
        (7, []),
    ],
)
def test_notes_are_texts_in_a_list(notes: object, told: list[str]) -> None:
    """Python lets a program set anything."""
    error = ValueError("no")
    error.__notes__ = notes  # type: ignore[assignment]
    assert error_notes(error) == told


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("a", "b", "c"), "a. b c"),
        (("a.", "b"), "a. b"),
        (("a:", "", "b"), "a: b"),
        (("a", ""), "a"),
        (("", "b"), "b"),
        (("a",), "a"),
    ],
)
def test_a_message_ends_before_the_next_sentence(parts: tuple[str, ...], text: str) -> None:
    """A full stop is added where there is none, and something follows."""
    assert sentences(*parts) == text


def test_sections_of_a_package_that_is_not_installed_are_in_its_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python on the path has no metadata: the pages lie beside it."""

    def missing(name: str) -> NoReturn:
        raise PackageNotFoundError(name)

    documentation._folder.cache_clear()
    installed = documentation.section_address("budgets")
    assert installed == "https://github.com/chatnb/chatnb/blob/main/docs/batches.md#budgets"
    assert documentation.see_section("budgets") == f"See {installed}"
    documentation._folder.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("importlib.metadata.metadata", missing)
        assert documentation.section_address("budgets") == "docs/batches.md#budgets"
    documentation._folder.cache_clear()
