"""The answers that a cell has had to its prompt."""

from __future__ import annotations

from dataclasses import dataclass

from chatnb.notebook.cell.outputs import AnswerPlace, CellAnswer, CellAnswers


@dataclass
class Turn:
    is_another: bool

    def select(self) -> None:
        """Select nothing."""


def answer(text: str, *, another: bool = True) -> CellAnswer:
    return CellAnswer([{"text": text}], Turn(another))


def test_a_cell_shows_its_last_answer_until_another_is_selected() -> None:
    """A cell with one answer has no place, and numbers beyond the answers select nothing."""
    answers = CellAnswers()
    answers.add("a", answer("one", another=False))
    answers.add("b", answer("other", another=False))
    assert answers.places == {}
    answers.add("a", answer("two"))
    assert answers.places == {"a": AnswerPlace(index=2, count=2)}
    selected = answers.select("a", 1)
    assert selected is not None
    assert selected.outputs == [{"text": "one"}]
    assert answers.places == {"a": AnswerPlace(index=1, count=2)}
    assert [answers.select("a", 0), answers.select("a", 3), answers.select("c", 1)] == [None] * 3
    assert answers.places == {"a": AnswerPlace(index=1, count=2)}


def test_a_new_prompt_begins_again() -> None:
    """So does a cell that is forgotten, as one that compares models is."""
    answers = CellAnswers()
    for another in (False, True, False):
        answers.add("a", answer("x", another=another))
    assert answers.places == {}
    answers.add("a", answer("y"))
    answers.forget("a")
    assert answers.places == {}
    assert answers.select("a", 1) is None


def test_memory_is_bounded() -> None:
    """The last answers of the last cells are kept."""
    answers = CellAnswers()
    for number in range(100):
        answers.add("a", answer(str(number)))
    last = answers.select("a", answers.places["a"]["count"])
    assert last is not None
    assert last.outputs == [{"text": "99"}]
    assert answers.places["a"]["count"] == 20
    for number in range(100):
        answers.add(f"cell {number}", answer("x", another=False))
    assert answers.places == {}
