"""The verdicts on tool calls of a reply: by clicks, by a function, and where nobody is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from chatnb.notebook.approvals import (
    ALLOWED_FUNCTIONS,
    NOBODY_TO_ASK,
    Approvals,
    is_function_allowed,
    with_function_allowed,
)
from chatnb.notebook.widgets.tool_calls import Decide, Decision
from chatnb.schema import AIMessage, ToolMessage
from chatnb.tools import Tool
from chatnb.tools.execution import Reject


def message(*calls: tuple[str, str | None]) -> AIMessage:
    """Return a message that calls tools, each with its name and id."""
    given: list[Any] = [{"name": name, "args": {}, "id": id} for name, id in calls]
    return AIMessage("", tool_calls=given)


def click(call: str, decision: Decision, reason: str = "") -> Decide:
    return Decide(call, decision, reason)


def states(approvals: Approvals) -> dict[str, str]:
    return {id: call.state for id, call in approvals.calls.items()}


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_a_click_decides_one_call() -> None:
    """The first one on it; another call, or one that has been decided, is left as it is."""

    async def test() -> None:
        approvals = Approvals(lambda name: name == "safe")
        asked = message(("safe", "a"), ("f", "b"), ("f", "c"), ("g", "d"))
        approvals.add("m", asked)
        assert states(approvals) == {
            "m.0": "running", "m.1": "asking", "m.2": "asking", "m.3": "asking"
        }  # fmt: skip
        assert approvals.take(click("m.9", "once")) is None
        assert approvals.take(click("m.0", "reject")) is None
        assert approvals.take(click("m.1", "reject", "No.")) is None
        assert approvals.take(click("m.1", "always")) is None
        assert approvals.stopped_results() == []
        assert approvals.take(click("m.2", "once")) is None
        assert approvals.take(click("m.3", "once")) is None
        assert states(approvals) == {
            "m.0": "running", "m.1": "rejected", "m.2": "running", "m.3": "running"
        }  # fmt: skip
        found = [await approvals.next_verdict(call) for call in asked.tool_calls]
        assert found == [True, Reject("No."), True, True]
        stopped = approvals.stopped_results()
        assert [(one.name, one.tool_call_id, one.status) for one in stopped] == [
            ("safe", "a", "error"), ("f", "c", "error"), ("g", "d", "error")
        ]  # fmt: skip
        told = "The call was stopped while it ran; what it had done by then stays."
        assert stopped[0].content == told

    run(test)


def test_always_decides_the_other_calls_of_the_tool() -> None:
    """Also in other messages of the reply; those of other tools ask on."""

    async def test() -> None:
        approvals = Approvals(lambda name: False)
        approvals.add("m", message(("f", "a"), ("g", "b"), ("f", "c")))
        approvals.add("n", message(("f", "a")))
        assert approvals.take(click("m.0", "always")) == "f"
        assert states(approvals) == {
            "m.0": "running", "m.1": "asking", "m.2": "running", "n.0": "running"
        }  # fmt: skip

    run(test)


def test_a_function_is_asked_once_for_each_call() -> None:
    """In place of the user, but not about what is allowed in any case."""
    asked = message(("safe", "a"), ("f", "b"), ("g", "c"))
    heard: list[str] = []

    async def approve(call: Any) -> Any:
        heard.append(call["name"])
        return True if call["name"] == "f" else Reject("Not g.")

    async def test() -> None:
        approvals = Approvals(lambda name: name == "safe", approve, interactive=False)
        approvals.add("m", asked)
        assert states(approvals) == {"m.0": "running", "m.1": "running", "m.2": "running"}
        found = [await approvals.next_verdict(call) for call in asked.tool_calls]
        assert found == [True, True, Reject("Not g.")]
        assert heard == ["f", "g"]
        assert states(approvals)["m.2"] == "rejected"

    run(test)


def test_where_nobody_can_be_asked_calls_are_rejected() -> None:
    """With the reason; what is allowed is called."""

    async def test() -> None:
        approvals = Approvals(lambda name: name == "safe", interactive=False)
        asked = message(("safe", "a"), ("f", "b"))
        approvals.add("m", asked)
        found = [await approvals.next_verdict(call) for call in asked.tool_calls]
        assert found == [True, NOBODY_TO_ASK]

    run(test)


def test_results_end_their_calls() -> None:
    """By id, or in their order where ids say nothing; several may answer one call."""

    async def test() -> None:
        approvals = Approvals(lambda name: name == "safe")
        approvals.add("m", message(("safe", "a"), ("f", "b"), ("safe", "c")))
        approvals.take(click("m.1", "reject"))
        assert approvals.end(ToolMessage("x", tool_call_id="b"))
        assert not approvals.end(ToolMessage("x", tool_call_id="b"))
        assert not approvals.end(ToolMessage("x", tool_call_id="a"))
        assert list(approvals.calls) == ["m.2"]
        approvals.add("n", message(("f", None), ("safe", None), ("f", None)))
        approvals.take(click("n.0", "reject"))
        approvals.take(click("n.2", "reject"))
        ended = [approvals.end(ToolMessage("x", tool_call_id="")) for _ in range(4)]
        assert ended == [True, False, True, False]
        assert list(approvals.calls) == ["m.2"]
        approvals.add("o", message(("safe", "a"), ("safe", "b")))
        approvals.end(ToolMessage("x", tool_call_id="a"))
        assert [one.tool_call_id for one in approvals.stopped_results()] == ["b"]

    run(test)


def f() -> str:
    """Return f."""
    return "f"


def test_functions_are_allowed_by_what_they_do() -> None:
    """Their names alone allow nothing, and those that were allowed before stay so."""

    def other() -> str:
        """Return f."""
        return "g"

    assert not is_function_allowed({}, [f], "f")
    assert not is_function_allowed({ALLOWED_FUNCTIONS: None}, [f], "f")
    settings = with_function_allowed({ALLOWED_FUNCTIONS: ["z"]}, [f], "f")
    assert is_function_allowed(settings, [other, f], "f")
    assert "z" in settings[ALLOWED_FUNCTIONS]
    assert settings[ALLOWED_FUNCTIONS] == sorted(settings[ALLOWED_FUNCTIONS])
    assert with_function_allowed(settings, [f], "f") == settings
    other.__name__ = "f"
    assert not is_function_allowed(settings, [other], "f")
    assert not is_function_allowed(settings, [], "f")


class Louder(Tool):
    """A tool that does more than its function."""

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return f"{await super().ainvoke(input, config, **kwargs)}!"


async def g() -> str:
    """Return g."""
    return "g"


async def h() -> str:
    """Return h."""
    return "h"


def test_a_tool_is_allowed_with_all_that_it_runs() -> None:
    """Its asynchronous function and the methods of its class, beside its function."""
    tools = [f, Tool(f, coroutine=g), Tool(f, coroutine=h), Louder(f), Louder(f)]
    for tool in tools:
        settings = with_function_allowed({}, [tool], "f")
        assert [other is tool for other in tools] == [
            is_function_allowed(settings, [other], "f") for other in tools
        ]
    assert is_function_allowed(
        with_function_allowed({}, [tools[1]], "f"), [Tool(f, coroutine=g)], "f"
    )
