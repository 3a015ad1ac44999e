from __future__ import annotations

from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import (
    ConfigurationError,
)
from chatnb.schema import HumanMessage, SystemMessage
from tests.support.structured_replies import (
    Person,
    Recorder,
    called,
)


def test_the_type_shapes_the_request() -> None:
    """Each method asks in its own way, in OpenAI's parameters, strict or not."""
    chat = Recorder(*(['{"name": "Ann", "age": 7}'] * 3), *([called({"name": "A", "age": 7})] * 2))
    chat.with_structured_output(Person).invoke("Hi")
    chat.with_structured_output(Person, strict=True).invoke("Hi")
    chat.with_structured_output(Person, method="json_mode").invoke("Hi")
    chat.with_structured_output(Person, method="tools", strict=True).invoke("Hi")
    chat.with_structured_output(Person, method="function_calling").invoke("Hi")
    loose, strict, mode, strict_tool, tool = chat.params
    asked = loose["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == "Person"
    assert asked["json_schema"]["schema"]["required"] == ["name", "age"]
    assert "strict" not in asked["json_schema"]
    closed = strict["response_format"]["json_schema"]
    assert closed["strict"] is True
    assert closed["schema"]["required"] == ["name", "age", "mood"]
    assert mode == {"response_format": {"type": "json_object"}}
    [function] = [each["function"] for each in strict_tool["tools"]]
    assert (function["name"], function["description"]) == ("Person", "Somebody.")
    assert function["strict"] is True
    assert function["parameters"]["additionalProperties"] is False
    assert tool["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
    assert tool["parallel_tool_calls"] is False
    assert "strict" not in tool["tools"][0]["function"]


def test_json_mode_tells_the_schema_in_the_system_prompt() -> None:
    """After what stands there already; the messages that were given are left alone."""
    chat = Recorder(*(['{"name": "Ann", "age": 7}'] * 2))
    given = [SystemMessage("Be brief."), HumanMessage("Hi")]
    person = chat.with_structured_output(Person, method="json_mode")
    person.invoke(given)
    person.invoke("Hi")
    (told, *rest), (first, *_) = chat.asked
    assert told.text.startswith("Be brief.\n\nAnswer with one JSON object")
    assert '"description": "Somebody."' in told.text
    assert isinstance(first, SystemMessage)
    assert (given[0], rest) == (SystemMessage("Be brief."), [HumanMessage("Hi")])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"method": "telepathy"}, ValueError, "json_schema, tools, function_calling, json_mode"),
        ({"method": "json_mode", "strict": True}, ValueError, "strict=True needs"),
        ({"repair": -1}, ValueError, "0 or more, not -1"),
        ({"schema": "a person"}, TypeError, "not 'a person'"),
        (
            {"schema": {"type": "object"}, "strict": True},
            ConfigurationError,
            "Strict mode cannot express an object without properties",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Wrong arguments raise an error when the runnable is made, not when it is run."""
    with pytest.raises(error, match=said):
        ScriptedChatModel(["x"]).with_structured_output(**{"schema": Person, **options})


def test_its_repr_names_the_model_and_the_type() -> None:
    """And no keys, since the model's repr has none."""
    shown = repr(ScriptedChatModel(["x"]).with_structured_output(Person))
    assert shown == "StructuredOutput(ScriptedChatModel(1 responses), Person)"
