"""`ask`: one question, whose reply is a widget that streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

import chatnb
from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.schema import HumanMessage, SystemMessage
from tests.support.recording_model import Asked


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The data of the messages that comms send."""
    messages: list[dict[str, Any]] = []

    class Comm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            messages.append(data)

    monkeypatch.setattr(comm, "create_comm", Comm)
    return messages


def test_the_reply_streams_to_whoever_opens_it(sent: list[dict[str, Any]]) -> None:
    """Deltas come while the model writes, and the state of its end is complete."""
    opened = threading.Event()

    class Waiting(ScriptedChatModel):
        async def _astream(self, *given: Any, **more: Any) -> AsyncGenerator[Any, None]:
            while not opened.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            async for chunk in super()._astream(*given, **more):
                yield chunk

    reply = chatnb.ask("Hi", Waiting(["Hello **you**."]))
    assert reply.busy
    assert reply.model_id
    opened.set()
    assert reply.result(30).text == "Hello **you**."
    deltas = [data["content"]["text"] for data in sent if data.get("method") == "custom"]
    assert "".join(deltas) == "Hello **you**."
    assert (reply.value, reply.busy, reply.phase) == ("Hello **you**.", False, "done")
    assert reply.snapshot["text"] == "Hello **you**."
    reply.close()


def test_messages_system_prompts_and_parameters_reach_the_model() -> None:
    """A text or messages, with the system prompt before them."""
    model = Asked(["Yes."])
    chatnb.ask("Hi", model, system="Be brief.", temperature=0.5).result(30)
    chatnb.ask([HumanMessage("Hi")], model).result(30)
    (first, params), (second, _) = model.asked
    assert first == [SystemMessage("Be brief."), HumanMessage("Hi")]
    assert params["temperature"] == 0.5
    assert second == [HumanMessage("Hi")]


def test_a_reply_that_breaks_off_keeps_its_text_and_raises() -> None:
    """The static form has the text, the error and no active content."""
    broken = ScriptedChatModel([["Half <b>a", ServerError("Overloaded.", hint="Try again.")]])
    reply = chatnb.ask("Hi", broken)
    with pytest.raises(ServerError):
        reply.result(30)
    static = reply.static_mimebundle()
    assert "Overloaded." in static["text/plain"]
    assert "Half &lt;b&gt;a" in static["text/html"]
    assert "chatnb-mount" not in static["text/html"]
