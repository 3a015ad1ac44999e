"""The reply stream under the cell and the panel."""

from __future__ import annotations

from itertools import count

from chatnb.chat_models import ScriptedChatModel
from chatnb.conversations import Conversation
from chatnb.errors import ServerError
from chatnb.notebook.reply_stream import ReplyStream
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.store import Store


def test_half_a_surrogate_pair_waits_for_the_other() -> None:
    """No chunk to show ends in half an emoji, which UTF-8 cannot encode; none is lost."""
    stream = ReplyStream()
    shown = [stream.add(AIMessageChunk(text)).text for text in ("\ud83d", "\ude00\ud83d")]
    rest = stream.flush()
    assert shown == ["", "😀"]
    assert rest is not None
    assert rest.text == "\N{REPLACEMENT CHARACTER}"
    assert stream.finish().message.text == "😀\N{REPLACEMENT CHARACTER}"
    assert stream.flush() is None


def test_reasoning_counts_as_the_first_token() -> None:
    """Seconds run from the start; chunks without text or reasoning do not end the first wait."""
    clock = count().__next__
    stream = ReplyStream(clock=clock)
    stream.add(AIMessageChunk(""))
    stream.add(AIMessageChunk("", additional_kwargs={"reasoning_content": "Hm"}))
    stream.add(AIMessageChunk("Hi"))
    reply = stream.finish()
    assert (reply.first_seconds, reply.reasoning_seconds, reply.seconds) == (1, 1, 3)


def test_the_time_of_reasoning_without_an_answer_runs_to_the_end() -> None:
    """A reply without reasoning has no such time."""
    thinking, talking = (ReplyStream(clock=count().__next__) for _ in range(2))
    thinking.add(AIMessageChunk("", additional_kwargs={"reasoning_content": "Hm"}))
    talking.add(AIMessageChunk("Hi"))
    assert thinking.finish("stopped").reasoning_seconds == 1
    assert talking.finish().reasoning_seconds is None


def test_a_partial_reply_is_kept_and_marked() -> None:
    """The error has it as `partial`, the draft has its text, status and error."""
    conversation = Conversation("ideas", store=Store(":memory:"))
    model = ScriptedChatModel(["Hello."])
    stream = ReplyStream(model, conversation.begin_reply())
    stream.add(AIMessageChunk("Hel"))
    error = ServerError("Overloaded.")
    reply = stream.finish("failed", error)
    stream.save(reply)
    assert isinstance(error.partial, AIMessage)
    assert error.partial.text == "Hel"
    assert reply.message.response_metadata["finish_reason"] == "failed"
    (node,) = conversation.path()
    assert (node.message.text, node.status) == ("Hel", "failed")
    assert node.facts["error"] == "ServerError: Overloaded."
    assert node.facts["model"] == "scripted"
