"""Tab on %%chat and %chat lines, in a terminal's shell."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, TypedDict

import pytest
from IPython.core.completer import CompletionContext, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register
from chatnb.notebook.commands import all_commands
from chatnb.notebook.magics import OPTIONS
from chatnb.schema.prices import priced_models
from chatnb.tools import tool


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"some_model": ScriptedChatModel(["Hi."])})
    bare_shell.run_cell("%%chat -m some_model -c ideas\nHi")
    return bare_shell


def completed(shell: InteractiveShell, line: str) -> list[str]:
    """Return the line with each of its completions."""
    with provisionalcompleter():
        found = list(shell.Completer.completions(line, len(line)))
    return [line[: each.start] + each.text for each in found]


def test_every_option_and_every_command_is_offered(shell: InteractiveShell) -> None:
    """Tab offers all that the parser and the commands declare; there is no second list."""
    assert completed(shell, "%%chat ") == [f"%%chat {flag}" for flag in sorted(OPTIONS.long)]
    assert completed(shell, "%chat ") == [f"%chat {name}" for name in sorted(all_commands())]


def test_an_option_is_offered_once(shell: InteractiveShell) -> None:
    """Tab does not offer an option that the line has."""
    assert "%%chat --log --log" not in completed(shell, "%%chat --log --")


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("%%chat -m some", "%%chat -m some_model"),
        ("%%chat --compare some_model,scr", "%%chat --compare some_model,scripted:"),
        ("%%chat -t 0 -c id", "%%chat -t 0 -c ideas"),
        ("%chat use local:", "%chat use local:smollm2"),
        ("  %chat use some", "  %chat use some_model"),
    ],
)
def test_the_line_becomes_what_was_meant(shell: InteractiveShell, line: str, whole: str) -> None:
    """A completion replaces just what was typed of it, colons and commas included."""
    assert completed(shell, line) == [whole]


@pytest.mark.parametrize("line", ["%%chat -t ", "%%chat -o ", "%chat nothing x"])
def test_where_anything_can_stand_nothing_of_ours_is_offered(
    shell: InteractiveShell, line: str
) -> None:
    """Numbers and new names are the user's."""
    assert not [each for each in completed(shell, line) if "--" in each or "some_model" in each]


@pytest.mark.parametrize(
    ("prompt", "whole"),
    [
        ("Say pri", ["Say pri"]),
        ("import o", ["import o"]),
        ("some_mo", ["some_mo"]),
        ("Explain {some", ["Explain {some_model"]),
        ("{{some", ["{{some"]),
        ("%chat u", ["%chat u"]),
        ("Hi ", ["Hi "]),
    ],
)
def test_prompts_are_prose(shell: InteractiveShell, prompt: str, whole: list[str]) -> None:
    """Below %%chat no name of Python is offered, but a variable within a brace is."""
    cell = f"%%chat -m some_model\nFirst line.\n{prompt}"
    assert completed(shell, cell) == [cell.removesuffix(prompt) + text for text in whole]


@dataclasses.dataclass
class Point:
    x: int


class Town(TypedDict):
    name: str


class Plain:
    pass


@tool
def look() -> str:
    """Look."""
    return ""


VARIABLES: dict[str, Any] = {
    "ns_point": Point, "ns_town": Town, "ns_form": {"type": "object", "properties": {}},
    "ns_dict": {}, "ns_plain": Plain, "ns_value": Point(1), "ns_look": look, "ns_os": os,
    "_ns_hidden": Point,
}  # fmt: skip

# What is typed, and what each completion puts in place of its last word; None: none of ours.
COMPLETED: dict[str, list[str] | None] = {
    "%%chat --schema ns_": ["ns_form", "ns_point", "ns_town"],
    "%%chat --schema=ns_p": ["%%chat --schema=ns_point"],
    "%%chat --expect-schema ns_t": ["ns_town"],
    "%%chat -m ns_": [],
    "%%chat --model=some": ["%%chat --model=some_model"],
    "%%chat --context ": ["cells", "error", "none", "vars"],
    "%%chat -c=id": ["%%chat -c=ideas"],
    "%%chat --conversation id": ["ideas"],
    "%%chat --log --sch": ["--schema"],
    "%%chat --log --lo": [],
    "%%chat --lo": ["--log"],
    "%chat config ": [
        "context=", "context_tokens=", "max_tokens=", "model=", "reset", "system=", "temperature="
    ],
    "%chat config m": ["max_tokens=", "model="],
    "%chat config model=some": ["%chat config model=some_model"],
    "%chat config context=c": ["%chat config context=cells"],
    "%chat config temperature=": [],
    "%chat resume id": ["ideas"],
    "%chat export notes.md id": ["ideas"],
    "%chat context v": ["vars"],
    "%chat models scr": ["scripted"],
    "%chat hist": ["history"],
    "%chat usage x": [],
    "text %chat hist": None,
    " %%chat --lo": None,
    "some_mod = 1\n%%chat --lo": None,
    "%%chat -m some_model\n{ns_": [
        "ns_dict", "ns_form", "ns_look", "ns_plain", "ns_point", "ns_town", "ns_value"
    ],
    "%%chat\n{_ns": [],
    "%%chatter\n{ns_point": None,
}  # fmt: skip


@pytest.mark.parametrize(("typed", "texts"), COMPLETED.items(), ids=COMPLETED)
def test_each_place_takes_names_of_its_kind(
    shell: InteractiveShell, typed: str, texts: list[str] | None
) -> None:
    """Types, models, conversations, contexts, settings and variables; the rest is IPython's."""
    shell.push(VARIABLES)
    context = CompletionContext(
        token="", full_text=typed, cursor_position=len(typed.rpartition("\n")[2]),
        cursor_line=typed.count("\n"), limit=None,
    )  # fmt: skip
    (matcher,) = (
        each for each in shell.Completer.custom_matchers if each.matcher_identifier == "chatnb"
    )
    result: Any = matcher(context)
    if texts is None:
        assert (result["completions"], result["suppress"]) == ([], False)
        return
    assert result["suppress"] is True
    fragment = result["matched_fragment"]
    assert typed.endswith(fragment)
    begun = typed.removesuffix(fragment)
    found = [each.text for each in result["completions"]]
    assert all(each.type == "magic" for each in result["completions"])
    assert sorted(found) == [text.removeprefix(begun) for text in texts]


def test_models_of_a_provider_are_its_example_and_those_with_a_price(
    shell: InteractiveShell,
) -> None:
    """A deployment that only the user knows is none of them."""
    found = completed(shell, "%chat use openai:")
    assert {text.removeprefix("%chat use ") for text in found} >= {
        f"openai:{name}" for name in priced_models("openai")
    }
    assert not [text for text in completed(shell, "%chat use azure:") if text.isupper()]
