from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial, wraps
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage, ToolMessage
from chatnb.tools import Tool, ToolArgumentsError, tool
from tests.support.loopback import LoopbackServer


class Unit(Enum):
    METRE = "m"
    FOOT = "ft"


class Point(BaseModel):
    x: float
    y: float = 0.0


@dataclass
class Size:
    width: int


@tool
def measure(
    start: Point,
    unit: Unit,
    mode: Literal["air", "road"],
    factor: Annotated[float, Field(gt=0, description="By how much.")] = 1.0,
    label: Annotated[str, "What to write on it."] = "",
    via: list[Point] | None = None,
    size: Size | None = None,
) -> str:
    """Measure a distance.

    From one point to another, as
    exactly as possible.

    Args:
        start: Where it begins,
            in kilometres.
        unit (Unit): The unit.
        label: This is not told, for the hint says better.

    Returns:
        The distance.
    """
    return f"{start.x:g} {unit.name} {mode} {factor:g} {via} {size}"


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


async def aadd(a: int, b: int = 1) -> int:
    """Add two numbers."""
    await asyncio.sleep(0)
    return a + b


def run(way: str, made: Tool, given: Any) -> Any:
    return made.invoke(given) if way == "invoke" else asyncio.run(made.ainvoke(given))


each_method = pytest.mark.parametrize("way", ["invoke", "ainvoke"])
each_kind = pytest.mark.parametrize("function", [add, aadd])
CALL = {"name": "add", "args": {"a": "2"}, "id": "c1", "type": "tool_call"}


def test_name_and_description_come_from_the_function() -> None:
    """The description is the docstring up to its sections."""
    assert measure.name == "measure"
    said = "Measure a distance.\n\nFrom one point to another, as\nexactly as possible."
    assert measure.description == said


def test_the_schema_comes_from_hints_and_docstring() -> None:
    """Every hint is in the schema, with the description from the hint or from the docstring."""
    args = measure.args
    assert args["start"]["description"] == "Where it begins, in kilometres."
    assert args["unit"] == {"$ref": "#/$defs/Unit", "description": "The unit."}
    assert args["mode"]["enum"] == ["air", "road"]
    assert args["factor"]["exclusiveMinimum"] == 0
    assert args["factor"]["description"] == "By how much."
    assert args["label"] == {"default": "", "description": "What to write on it.", "type": "string"}
    assert {"type": "null"} in args["via"]["anyOf"]
    assert measure.parameters["required"] == ["start", "unit", "mode"]
    assert measure.parameters["additionalProperties"] is False
    assert measure.parameters["$defs"].keys() == {"Point", "Size", "Unit"}
    assert not {"title", "description"} & measure.parameters.keys()


def test_arguments_become_what_the_hints_say() -> None:
    """JSON becomes models, enums and dataclasses; what is not given has its default."""
    given = {"start": {"x": 1}, "unit": "ft", "mode": "air", "via": [{"x": 2}]}
    said = "1 FOOT air 1 [Point(x=2.0, y=0.0)] Size(width=3)"
    assert measure.invoke({**given, "size": {"width": 3}}) == said


@each_method
@each_kind
def test_arguments_give_the_value_and_a_call_gives_a_message(
    way: str, function: Callable[..., Any]
) -> None:
    """Both kinds of functions run in both methods, on either kind of input."""
    made = tool("add")(function)
    assert run(way, made, {"a": 2, "b": 3}) == 5
    answer = ToolMessage("3", name="add", tool_call_id="c1")
    assert run(way, made, CALL) == answer
    assert run(way, made, AIMessage("", tool_calls=[CALL]).tool_calls[0]) == answer  # type: ignore[list-item]


@each_method
@each_kind
@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"a": "x"}, r"do not fit \w+: a: Input should be a valid integer"),
        ({}, "a: Field required"),
        ({"a": 1, "c": 2}, "c: Extra inputs are not permitted"),
        ({"a": 1.5, "b": []}, "a: .*; b: "),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    way: str, function: Callable[..., Any], args: dict[str, Any], said: str
) -> None:
    """The error says for each argument what is wrong, and nothing is run."""
    with pytest.raises(ToolArgumentsError, match=said):
        run(way, tool(function), args)


@each_method
def test_what_a_tool_raises_is_raised(way: str) -> None:
    """On a call, too: what to tell the model is the loop's to decide."""

    @tool
    def fail(a: int) -> int:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        run(way, fail, {**CALL, "name": "fail"})


def test_what_is_no_dict_is_refused() -> None:
    """A bare value is no set of arguments."""
    with pytest.raises(TypeError, match=r"add takes its arguments \(a, b\) as a dict"):
        tool(add).invoke("2")  # type: ignore[arg-type]


@each_method
def test_an_artifact_stays_beside_the_content(way: str) -> None:
    """Of a pair the model is told the first, and the message keeps the second as it is."""
    rows = [object()]

    @tool(response_format="content_and_artifact")
    def query(a: int) -> tuple[str, list[object]]:
        return f"{a} rows", rows

    assert run(way, query, {"a": 1}) == "1 rows"
    answer = run(way, query, {**CALL, "name": "query"})
    assert (answer.content, answer.status) == ("2 rows", "success")
    assert answer.artifact is rows


def test_what_is_no_pair_is_refused() -> None:
    """A function that forgot its artifact is told so."""
    with pytest.raises(TypeError, match="pair of content and artifact"):
        tool(response_format="content_and_artifact")(add).invoke({"a": 1})


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("text", "text"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Point(x=1), '{"x":1.0,"y":0.0}'),
        (Size(1), '{"width":1}'),
        (Unit.FOOT, '"ft"'),
        (None, "null"),
        ("é", "é"),
        (ValueError, "<class 'ValueError'>"),
        ([{"type": "text", "text": "a"}], [{"type": "text", "text": "a"}]),
        ([{"type": "chair"}], '[{"type":"chair"}]'),
    ],
)
def test_values_are_written_for_the_model(value: Any, written: Any) -> None:
    """Text and parts as they are, all else as JSON, and what JSON does not know as its text."""
    made = Tool(lambda a: value, name="give")
    assert made.invoke({**CALL, "name": "give"}).content == written


def test_the_decorator_takes_arguments() -> None:
    """A name, a description and a schema given to it win over the function's own."""

    class Numbers(BaseModel):
        a: int = Field(description="One number.")

    @tool("plus_one", description="Count on.", args_schema=Numbers)
    def count(**given: int) -> int:
        return given["a"] + 1

    assert (count.name, count.description) == ("plus_one", "Count on.")
    assert count.args["a"]["description"] == "One number."
    assert count.invoke({"a": "1"}) == 2


def test_a_json_schema_will_do() -> None:
    """Arguments are checked against it, and handed over as they came."""
    schema = {"properties": {"a": {"type": "integer", "minimum": 0}}, "required": ["a"]}
    made = Tool(lambda **given: given, name="f", args_schema=schema)
    assert made.invoke({"a": 1}) == {"a": 1}
    with pytest.raises(ToolArgumentsError, match="a: -1 is less than the minimum of 0"):
        made.invoke({"a": -1})
    with pytest.raises(ToolArgumentsError, match='"a" is a required property'):
        made.invoke({})


def test_half_a_surrogate_pair_is_text() -> None:
    """JSON may hold one, so that it fits a schema of text."""
    schema = {"properties": {"a": {"type": "string", "maxLength": 1}}}
    made = Tool(lambda **given: given, name="f", args_schema=schema)
    assert made.invoke({"a": "\ud83d"}) == {"a": "\ud83d"}
    with pytest.raises(ToolArgumentsError, match="is longer than 1 character"):
        made.invoke({"a": "\ud83dx"})


def test_a_schema_is_not_fetched(loopback: LoopbackServer) -> None:
    """A reference to another document fails, and no request is made for it."""
    schema = {"properties": {"a": {"$ref": loopback.base_url}}}
    made = Tool(lambda **given: given, name="f", args_schema=schema)
    with pytest.raises(ToolArgumentsError, match="bad schema"):
        made.invoke({"a": 1})
    assert loopback.exchanges == []


@pytest.mark.parametrize(
    ("a", "said"),
    [
        ({"type": "objct"}, '"objct" is not valid'),
        ({"$ref": "http://127.0.0.1/a"}, "Resource"),
    ],
)
def test_a_schema_that_is_none_lets_nothing_through(a: dict[str, Any], said: str) -> None:
    """The error says what is wrong with it."""
    made = Tool(lambda **given: given, name="f", args_schema={"properties": {"a": a}})
    with pytest.raises(ToolArgumentsError, match=f"bad schema: {said}"):
        made.invoke({"a": 1})


@pytest.mark.parametrize("name", ["schema", "json", "copy", "model_name"])
def test_parameters_may_be_called_as_attributes_of_models(name: str) -> None:
    """Names that mean something to Pydantic are names like others."""
    scope: dict[str, Any] = {}
    exec(f"def f({name}: int = 1): return {name}", scope)
    made = tool(scope["f"])
    assert made.args[name] == {"default": 1, "type": "integer"}
    assert made.invoke({name: "2"}) == 2


def test_a_default_that_json_does_not_have_holds() -> None:
    """It is left out of the schema, and the function gets it."""
    nothing: Any = object()

    @tool
    def f(a: Any = nothing) -> bool:
        return a is nothing

    assert "default" not in f.args["a"]
    assert f.invoke({}) is True


def star(*a: int) -> None: ...


def stars(**a: int) -> None: ...


def opaque(a: threading.Thread) -> None: ...


def unknown(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def private(_a: int) -> None: ...


def reserved(model_config: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (star, r"by name, and star takes \*a"),
        (stars, r"by name, and stars takes \*\*a"),
        (opaque, "The parameters of opaque cannot be described as JSON"),
        (unknown, "The type hints of unknown cannot be read.*'Nowhere'"),
        (private, "Pydantic reserves the name _a: rename that parameter of private"),
        (reserved, "Pydantic reserves the name model_config"),
        (3, "made of a function"),
    ],
)
def test_what_no_model_could_call_is_refused(function: Any, said: str) -> None:
    """It raises when the tool is made, not after a paid call of the model."""
    with pytest.raises(TypeError, match=said):
        Tool(function)


def test_a_name_that_no_provider_takes_is_refused() -> None:
    """A lambda has no name of its own."""
    with pytest.raises(ValueError, match=r"not '<lambda>'; give it one with name="):
        tool(lambda a: a)
    with pytest.raises(ValueError, match="content or content_and_artifact"):
        tool(response_format="artifact")(add)  # type: ignore[call-overload]


class Shelf:
    def find(self, title: str) -> str:
        """Find a book."""
        return title.upper()


def test_methods_and_wrapped_functions_are_tools() -> None:
    """Methods, partial applications and decorated functions show what they take."""

    @wraps(add)
    def logged(*args: Any, **kwargs: Any) -> int:
        return add(*args, **kwargs)

    find = tool(Shelf().find)
    assert (find.name, find.description, find.invoke({"title": "a"})) == (
        "find",
        "Find a book.",
        "A",
    )
    assert tool(logged).invoke({"a": 1}) == 2
    five = tool(partial(add, b=5))
    assert (five.name, five.invoke({"a": 1})) == ("add", 6)


@each_method
def test_chains_inside_a_tool_inherit_its_config(way: str) -> None:
    """The config of the run reaches what the function calls, though nobody passes it on."""
    seen = list[Any]()
    chain = RunnableLambda(lambda _, config: seen.append(config["tags"]))

    @tool
    def ask(a: int) -> None:
        chain.invoke(a)

    if way == "invoke":
        ask.invoke({"a": 1}, {"tags": ["outer"]})
    else:
        asyncio.run(ask.ainvoke({"a": 1}, {"tags": ["outer"]}))
    assert seen == [["outer"]]


def test_a_tool_is_a_runnable() -> None:
    """It is run in batches, and composes."""
    made = tool(add)
    assert made.batch([{"a": 1}, {"a": 2}]) == [2, 3]
    assert (made | str).invoke({"a": 1}) == "2"
    assert repr(made) == "Tool(add)"
