from __future__ import annotations

import asyncio
import copy
import pickle

import pytest

from chatnb.chat_models import ScriptedChatModel, init_chat_model
from chatnb.chat_models.cache import InMemoryCache
from chatnb.chat_models.scripted import ScriptedRequest
from chatnb.errors import RateLimitError, UnknownModelError
from chatnb.schema import AIMessage, HumanMessage, SystemMessage, ToolCall
from chatnb.schema.messages import join_chunks


def test_text_is_streamed_word_by_word_without_loss() -> None:
    """Words come one by one and add up to the very text, white space included."""
    text = "  A  table:\n\n| a | b |\n "
    chunks = list(ScriptedChatModel([text]).stream("Hi"))
    assert len(chunks) > 5
    assert join_chunks(chunks).content == text


def test_replies_come_in_turn_and_start_again() -> None:
    """The list is read in order and then from its start."""
    chat = ScriptedChatModel(["one", "two"])
    assert [chat.invoke("Hi").content for _ in range(3)] == ["one", "two", "one"]


def test_usage_and_ids_are_the_given_ones() -> None:
    """Token counts and ids given beside the responses come with the replies."""
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    message = ScriptedChatModel(["a b"], usage=[usage], ids=["r1"]).invoke("Hi")
    assert (message.usage_metadata, message.id) == (usage, "r1")


def test_a_message_is_streamed_with_what_it_carries() -> None:
    """A message among the responses keeps its usage, id and metadata."""
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    given = AIMessage(
        "a b", id="x", usage_metadata=usage, response_metadata={"finish_reason": "length"}
    )
    message = asyncio.run(ScriptedChatModel([given]).ainvoke("Hi"))
    assert (message.content, message.id, message.usage_metadata) == ("a b", "x", usage)
    assert message.response_metadata["finish_reason"] == "length"


def test_an_error_is_raised_where_it_stands() -> None:
    """Chunks before an error arrive; then it is raised."""
    chunks = ScriptedChatModel([["Hel", RateLimitError("Slow down.")]]).stream("Hi")
    assert next(chunks).content == "Hel"
    with pytest.raises(RateLimitError):
        next(chunks)


def test_it_stops_where_it_is_told_to() -> None:
    """`stop` ends a reply before the first of its texts, also in the middle of a word."""
    chat = ScriptedChatModel(["One two three."])
    assert chat.invoke("Hi", stop=["nope", "wo"]).content == "One t"
    assert "".join(chunk.text for chunk in chat.stream("Hi", stop=[" t"])) == "One"


@pytest.mark.parametrize("responses", [[], "a string"])
def test_responses_must_be_a_list_with_something_in_it(responses: object) -> None:
    """An empty list or a bare string says what to write."""
    with pytest.raises(ValueError, match="responses="):
        ScriptedChatModel(responses)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("opnai:gpt", "openai:"),
        ("", "one of"),
    ],
)
def test_an_unknown_model_is_answered_with_what_exists(name: str, suggestion: str) -> None:
    """A mistyped name gets a suggestion."""
    with pytest.raises(UnknownModelError, match=suggestion):
        init_chat_model(name)


def test_a_copy_goes_on_where_the_model_was() -> None:
    """Copied or pickled, it has the next reply to give."""
    chat = ScriptedChatModel(["one", "two"])
    chat.invoke("Hi")
    assert copy.deepcopy(chat).invoke("Hi").content == "two"
    assert pickle.loads(pickle.dumps(chat)).invoke("Hi").content == "two"


def test_tool_calls_and_parts_are_not_lost() -> None:
    """A scripted message comes out with everything that it was given."""
    call = ToolCall(name="add", args={"a": 1}, id="c1", type="tool_call")
    asked = ScriptedChatModel([AIMessage("Let me see.", tool_calls=[call])]).invoke("Hi")
    assert (asked.content, asked.tool_calls) == ("Let me see.", [call])
    parts = [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {"url": "u"}}]
    assert ScriptedChatModel([AIMessage(parts)]).invoke("Hi").content == parts


def test_tool_calls_are_streamed_in_pieces() -> None:
    """Calls come as models stream them: never valid before they are whole, and nothing is lost."""
    calls = [
        ToolCall(name="find", args={"city": "São Paulo", "days": [1, 2]}, id="c1"),
        ToolCall(name="now", args={}, id="c2"),
    ]
    chunks = list(ScriptedChatModel([AIMessage("One moment.", tool_calls=calls)]).stream("Hi"))
    assert "".join(chunk.text for chunk in chunks) == "One moment."
    partial = [join_chunks(chunks[:n]).tool_calls for n in range(1, len(chunks) + 1)]
    assert next([call["id"] for call in some] for some in partial if some) == ["c1"]
    assert all(call["args"] in (calls[0]["args"], {}) for some in partial for call in some)
    said = join_chunks(chunks)
    assert [(c["name"], c["args"], c["id"]) for c in said.tool_calls] == [
        (c["name"], c["args"], c["id"]) for c in calls
    ]
    assert said.response_metadata["finish_reason"] == "tool_calls"
    assert len([chunk for chunk in chunks if chunk.tool_call_chunks]) > 5


def test_invalid_calls_stay_invalid() -> None:
    """A call that was scripted as invalid is streamed with its reason."""
    invalid = {"name": "f", "args": '{"a":', "id": "c1", "error": "Broken off."}
    said = ScriptedChatModel([AIMessage("", invalid_tool_calls=[invalid])]).invoke("Hi")  # type: ignore[list-item]
    assert said.tool_calls == []
    assert [(c["args"], c["error"]) for c in said.invalid_tool_calls] == [('{"a":', "Broken off.")]


def test_it_keeps_what_it_was_asked() -> None:
    """Each request has its messages and parameters; a cached reply is no request."""
    chat = ScriptedChatModel(["One."], cache=InMemoryCache())
    chat.invoke("a", stop=["x"], temperature=0)
    list(chat.stream([SystemMessage("s"), HumanMessage("b")]))
    asyncio.run(chat.abatch(["c"]))
    chat.invoke("a", stop=["x"], temperature=0)
    assert [[m.text for m in request.messages] for request in chat.requests] == [
        ["a"],
        ["s", "b"],
        ["c"],
    ]
    assert (chat.requests[0].stop, chat.requests[0].params) == (["x"], {"temperature": 0})
    chat.requests.clear()
    chat.bind_tools([{"type": "web_search"}]).invoke("d")
    assert chat.requests[0].params == {"tools": [{"type": "web_search"}]}


def test_each_chunk_is_a_word_or_a_piece_of_a_call() -> None:
    """The last one has all else; a reply that breaks off has no ending."""
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    call = ToolCall(name="f", args={"a": 1}, id="c", type="tool_call")
    chat = ScriptedChatModel(
        [
            AIMessage("One  two.\n", tool_calls=[call]),
            ["a", RateLimitError("Slow.")],
            AIMessage(""),
            RateLimitError("Slow."),
        ],
        usage=[usage],
        ids=["r1", "r2"],
        model_name="m",
    )
    first = list(chat.stream("Hi"))
    assert [chunk.text for chunk in first if chunk.text] == ["One", "  two.", "\n"]
    pieces = [piece for chunk in first for piece in chunk.tool_call_chunks]
    assert [piece["name"] for piece in pieces] == ["f", *[None] * (len(pieces) - 1)]
    assert (pieces[0]["args"], "".join(piece["args"] or "" for piece in pieces)) == (
        "",
        '{"a": 1}',
    )
    ending = {"model_name": "m", "finish_reason": "tool_calls"}
    assert (first[-1].response_metadata, first[-1].usage_metadata, first[-1].id) == (
        ending,
        usage,
        "r1",
    )
    assert all(not chunk.response_metadata and chunk.id is None for chunk in first[:-1])
    broken = chat.stream("Hi")
    chunk = next(broken)
    assert (chunk.response_metadata, chunk.id) == ({"model_name": "m"}, "r2")
    with pytest.raises(RateLimitError):
        next(broken)
    (empty,) = chat.stream("Hi")
    assert (empty.content, empty.id, empty.response_metadata["finish_reason"]) == (
        "",
        "r1",
        "stop",
    )
    with pytest.raises(RateLimitError):
        chat.invoke("Hi")
    assert repr(chat) == "ScriptedChatModel(4 responses)"
    assert init_chat_model("scripted:").invoke("Hi").content == "Hello."


def test_it_keeps_its_latest_requests_only() -> None:
    """Ten thousand of them."""
    chat = ScriptedChatModel(["a"])
    chat.requests.extend([ScriptedRequest([], None, {"n": n}) for n in range(10_000)])
    chat.invoke("Hi")
    assert len(chat.requests) == 10_000
    assert (chat.requests[0].params, chat.requests[-1].messages) == ({"n": 1}, [HumanMessage("Hi")])
