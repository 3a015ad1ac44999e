"""`%%chat --schema`: a cell whose answer is an object."""

from __future__ import annotations

from typing import TypedDict

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pydantic import BaseModel

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register
from chatnb.schema import AIMessage, HumanMessage
from tests.support.recording_model import Asked

OSLO = '{"name": "Oslo", "people": 700000}'


class City(BaseModel):
    name: str
    people: int


class CityDict(TypedDict):
    name: str
    people: int


CITY_SCHEMA = {
    "title": "City",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
}


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    kinds = {"City": City, "CityDict": CityDict, "CITY_SCHEMA": CITY_SCHEMA, "seven": 7}
    bare_shell.push({**kinds, "oslo": ScriptedChatModel([OSLO])})
    return bare_shell


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("City", City(name="Oslo", people=700_000)),
        ("CityDict", {"name": "Oslo", "people": 700_000}),
        ("CITY_SCHEMA", {"name": "Oslo", "people": 700_000}),
    ],
)
def test_the_variable_holds_the_object(shell: InteractiveShell, kind: str, value: object) -> None:
    """-o and `_reply` hold a value of the type, for a class, a TypedDict and a JSON schema."""
    assert shell.run_cell(f"%%chat -m oslo --schema {kind} -o city\nNorway's capital?").success
    assert shell.user_ns["city"] == shell.user_ns["_reply"] == value
    assert type(shell.user_ns["city"]) is type(value)


def test_the_model_is_held_to_the_schema(shell: InteractiveShell) -> None:
    """The schema goes along as the provider's response format."""
    shell.push({"model": Asked([OSLO])})
    shell.run_cell("%%chat -m model --schema City\nHi")
    (_, params) = shell.user_ns["model"].asked[0]
    assert params["response_format"]["json_schema"]["name"] == "City"  # type: ignore[index]


def test_the_answer_is_part_of_the_conversation(shell: InteractiveShell) -> None:
    """The next cell's model reads the JSON that the answer came in."""
    shell.push({"model": Asked()})
    shell.run_cell("%%chat -m oslo --schema City\none")
    shell.run_cell("%%chat -m model\ntwo")
    said = shell.user_ns["model"].asked[0][0]
    assert [m.text for m in said] == ["one", OSLO, "two"]


def test_an_answer_that_is_not_valid_fails_the_cell_and_keeps_the_text(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong; `_reply` has the text, and the conversation nothing."""
    shell.push({"odd": ScriptedChatModel(['{"name": "Oslo"}']), "model": Asked()})
    assert not shell.run_cell("%%chat -m odd --schema City -o city\none").success
    (line,) = [row for row in capsys.readouterr().out.splitlines() if "Error" in row]
    assert line.startswith(
        "StructuredOutputError: The reply is not a valid City: people: Field required."
    )
    assert shell.user_ns["_reply"].text == shell.user_ns["city"].text == '{"name": "Oslo"}'
    shell.run_cell("%%chat -m model\ntwo")
    assert shell.user_ns["model"].asked[0][0] == [HumanMessage("two")]


def test_an_answer_that_was_cut_off_says_so(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then asking again would not help, and more tokens would."""
    cut = AIMessage('{"name": "Os', response_metadata={"finish_reason": "length"})
    shell.push({"cut": ScriptedChatModel([cut])})
    assert not shell.run_cell("%%chat -m cut --schema City\none").success
    assert "cut off at its token limit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--schema Town", "takes a variable with a type, and 'Town' is none"),
        ("--schema seven", "%%chat --schema seven: "),
        ("--schema City --code", "takes --schema or --code, not both"),
    ],
)
def test_what_is_no_type_is_refused_before_anything_is_asked(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    """A mistake in the line costs no call of a model."""
    shell.push({"model": Asked()})
    assert not shell.run_cell(f"%%chat -m model {line}\nHi").success
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err
    assert shell.user_ns["model"].asked == []
