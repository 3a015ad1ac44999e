from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel, Field

from chatnb.errors import ConfigurationError
from chatnb.tools import to_openai_tool, tool
from chatnb.tools.openai_schema import to_openai_tool_choice, to_openai_tools


def now(zone: str, exact: bool = False) -> str:
    """Tell the time."""
    return zone


class Now(BaseModel):
    """Tell the time."""

    zone: str = Field(description="Where.")


class NowDict(TypedDict):
    """Tell the time."""

    zone: str


@dataclass
class NowData:
    """Tell the time."""

    zone: str


PARAMETERS = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}
FUNCTION = {"name": "now", "description": "Tell the time.", "parameters": PARAMETERS}
DICTS: dict[str, dict[str, Any]] = {
    "openai": {"type": "function", "function": FUNCTION},
    "a bare function": FUNCTION,
    "responses": {"type": "function", **FUNCTION},
    "anthropic": {
        "name": "now",
        "description": "Tell the time.",
        "input_schema": PARAMETERS,
    },
    "anthropic, typed": {
        "type": "custom",
        "name": "now",
        "description": "Tell the time.",
        "input_schema": PARAMETERS,
    },
    "a schema": {"title": "now", "description": "Tell the time.", **PARAMETERS},
}


@pytest.mark.parametrize("kind", DICTS)
def test_every_dict_becomes_openais(kind: str) -> None:
    """However a tool is written, the same is sent."""
    assert to_openai_tool(DICTS[kind]) == {"type": "function", "function": FUNCTION}


@pytest.mark.parametrize("kind", [now, tool(now), Now, NowDict, NowData])
def test_functions_and_types_become_openais(kind: Any) -> None:
    """Each is sent with its name, its docstring and its schema."""
    written = to_openai_tool(kind)["function"]
    assert written["name"] == kind.name if hasattr(kind, "name") else kind.__name__
    assert written["description"] == "Tell the time."
    assert written["parameters"]["properties"]["zone"]["type"] == "string"
    assert written["parameters"]["required"] == ["zone"]
    assert "strict" not in written


@pytest.mark.parametrize(
    "built_in",
    [
        {"type": "web_search"},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        {"type": "file_search", "vector_store_ids": ["v"]},
    ],
)
def test_what_a_provider_has_built_in_passes_through(built_in: dict[str, Any]) -> None:
    """The dict of a built-in tool stays as it is."""
    assert to_openai_tool(built_in) == built_in


def test_strict_closes_the_schema() -> None:
    """All properties are required then, and no others allowed; False is only passed on."""
    written = to_openai_tool(now, strict=True)["function"]
    assert written["strict"] is True
    assert written["parameters"]["required"] == ["zone", "exact"]
    assert written["parameters"]["additionalProperties"] is False
    assert to_openai_tool(now, strict=False)["function"]["strict"] is False
    asked = {"type": "function", "function": {**FUNCTION, "strict": True}}
    assert to_openai_tool(asked) == asked


def test_what_strict_mode_cannot_say_is_refused() -> None:
    """An open dict has no place there."""

    @tool
    def store(record: dict[str, str]) -> None: ...

    with pytest.raises(ConfigurationError, match="open keys"):
        to_openai_tool(store, strict=True)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (3, TypeError, "A tool is a function"),
        ({"type": "object", "properties": {}}, TypeError, "a JSON schema with a title"),
        ({"name": "a b"}, ValueError, "letters, digits"),
        ({"type": "function", "function": {}}, ValueError, "letters, digits"),
        (int, TypeError, "Pydantic model"),
    ],
)
def test_what_is_no_tool_is_refused(given: Any, error: type[Exception], said: str) -> None:
    """The error lists the accepted types."""
    with pytest.raises(error, match=said):
        to_openai_tool(given)


def test_tools_have_names_of_their_own() -> None:
    """Two tools with one name raise, and so does a tool outside a list."""
    with pytest.raises(ValueError, match="Two tools are called 'now'"):
        to_openai_tools([now, FUNCTION])
    with pytest.raises(TypeError, match="Tools are given in a list"):
        to_openai_tools(FUNCTION)  # type: ignore[arg-type]


NAMED = {"type": "function", "function": {"name": "now"}}


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", "auto"),
        ("none", "none"),
        (False, "none"),
        ("required", "required"),
        ("any", "required"),
        (True, "required"),
        ("now", NAMED),
        (NAMED, NAMED),
        ({"type": "function", "name": "now"}, NAMED),
        ({"type": "tool", "name": "now"}, NAMED),
        ({"type": "any"}, "required"),
        ({"type": "web_search"}, {"type": "web_search"}),
    ],
)
def test_every_choice_is_written_as_openai_does(choice: Any, written: Any) -> None:
    """Words, names and the dicts of both providers."""
    assert to_openai_tool_choice(choice, to_openai_tools([now])) == written


@pytest.mark.parametrize("choice", ["noe", {"type": "tool", "name": "noe"}])
def test_a_choice_of_no_tool_is_refused(choice: Any) -> None:
    """It names those that there are."""
    with pytest.raises(ValueError, match=r"no bound tool: 'noe'\. The tools are: now"):
        to_openai_tool_choice(choice, to_openai_tools([now]))
