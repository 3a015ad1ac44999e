from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel, Field

from chatnb.chat_models import ChatAnthropic, ScriptedChatModel
from chatnb.errors import ConfigurationError
from chatnb.tools import ToolLoop, to_openai_tool, tool
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
    """A tool is sent as the same dict in every way of writing it."""
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


def test_lists_in_a_list_of_tools_are_one_list() -> None:
    """The tools of a server, a list, stand beside others, in every place that takes tools."""

    def later(days: int) -> str:
        """Tell a later day."""
        return str(days)

    pair: Any = [[now], (later,)]
    assert [tool["function"]["name"] for tool in to_openai_tools(pair)] == [
        "now",
        "later",
    ]
    nested: Any = [[now], later]
    bound: Any = ScriptedChatModel(["Hi"]).bind_tools(nested)
    assert [tool["function"]["name"] for tool in bound.kwargs["tools"]] == ["now", "later"]
    assert [tool.name for tool in ToolLoop(ScriptedChatModel(["Hi"]), nested).tools] == [
        "now",
        "later",
    ]
    for wrong in (now, "now", {"name": "now"}):
        with pytest.raises(TypeError, match="Tools are given in a list"):
            ToolLoop(ScriptedChatModel(["Hi"]), wrong)  # type: ignore[arg-type]


def test_a_loop_gives_the_fields_that_only_the_provider_has() -> None:
    """The `extras` of a tool are in the loop's requests, as in those of `bind_tools`."""
    cached = tool("now", now, extras={"cache_control": {"type": "ephemeral"}})
    chat = ChatAnthropic("claude", api_key="none")
    loop: Any = ToolLoop(chat, [cached])
    bound: Any = chat.bind_tools([cached])
    assert loop.chat.kwargs["tools"] == bound.kwargs["tools"]
    assert loop.chat.kwargs["tools"][0]["cache_control"] == {"type": "ephemeral"}


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
