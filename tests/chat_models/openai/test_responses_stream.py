from __future__ import annotations

from typing import Any

import pytest

from chatnb.chat_models.openai.response_items import sent_items
from chatnb.chat_models.openai.responses_replies import message_from_response
from chatnb.chat_models.openai.responses_stream import ResponseDecoder
from chatnb.errors import (
    BadRequestError,
    ContentFilterError,
    MalformedReplyError,
    ModelError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.content.reply_parts import reply_parts
from chatnb.schema.messages import join_chunks
from tests.support.loopback import event
from tests.support.responses_events import (
    CALL,
    CITATION,
    CREATED,
    REASONING,
    SAID,
    SEARCH,
    added,
    arguments,
    completed,
    done,
    response,
    said,
    text,
    thought,
)


def decoded(*pieces: bytes) -> list[AIMessageChunk]:
    decoder = ResponseDecoder()
    decoder.begin("text/event-stream")
    chunks = [chunk for piece in pieces for chunk in decoder.decode(piece)]
    return [*chunks, *decoder.end()]


def told(*pieces: bytes) -> AIMessage:
    return join_chunks(decoded(*pieces)).to_message()


def test_text_comes_as_it_is_said() -> None:
    """A chunk a delta, with the response's id; nothing for what is only announced."""
    part = {"type": "output_text", "text": "", "annotations": []}
    chunks = decoded(
        CREATED,
        said("in_progress", response=response(status="in_progress")),
        added({**SAID, "content": []}),
        said("content_part.added", item_id="msg_1", part=part),
        text("Hel"),
        text("lo"),
        said("output_text.done", item_id="msg_1", text="Hello"),
        completed(SAID),
    )
    assert [chunk.content for chunk in chunks] == ["Hel", "lo", ""]
    assert {chunk.id for chunk in chunks} == {"resp_1"}


def test_a_streamed_reply_is_the_whole_one() -> None:
    """Text, reasoning, calls, annotations, built-in tools and usage add up to the same message."""
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    output = (REASONING, SEARCH, SAID, CALL)
    streamed = told(
        CREATED,
        added({**REASONING, "summary": []}),
        thought("Look ", 0),
        thought("it up.", 0),
        thought("Then tell.", 1),
        done(REASONING),
        added(SEARCH, 1),
        said("web_search_call.searching", item_id="ws_1", output_index=1),
        done(SEARCH, 1),
        added({**SAID, "content": []}, 2),
        text("Let me "),
        text("see."),
        said(
            "output_text.annotation.added",
            item_id="msg_1",
            annotation=CITATION,
            annotation_index=0,
        ),
        done(SAID, 2),
        added({**CALL, "arguments": ""}, 3),
        arguments('{"city": ', 3, item_id="fc_1"),
        arguments('"Paris"}', 3, item_id="fc_1"),
        said("function_call_arguments.done", item_id="fc_1", arguments=CALL["arguments"]),
        done(CALL, 3),
        completed(*output, usage=usage),
    )
    assert streamed == message_from_response(response(*output, usage=usage))


def test_items_that_end_without_the_response_repeating_them_are_kept() -> None:
    """Some servers leave the output of the last event empty."""
    streamed = told(text("Let me see."), done(REASONING), done(SAID), completed())
    assert streamed.additional_kwargs["output_items"][0] == REASONING
    assert streamed.additional_kwargs["annotations"] == [CITATION]


def test_two_calls_are_told_apart() -> None:
    """By the item's name, as llama.cpp does, or by its number alone; in turn or mixed."""
    first, second = {**CALL, "arguments": ""}, {**CALL, "id": "fc_2", "call_id": "c2"}
    second["arguments"] = ""
    named = told(
        said("output_item.added", item=first),
        said("output_item.added", item=second),
        said("function_call_arguments.delta", delta='{"city": "B"}', item_id="fc_2"),
        said("function_call_arguments.delta", delta='{"city": "A"}', item_id="fc_1"),
        completed(first, second),
    )
    for item in (first, second):
        del item["id"]
    numbered = told(
        added(first, 0),
        added(second, 1),
        arguments('{"city": "B"}', 1),
        arguments('{"city": "A"}', 0),
        completed(first, second),
    )
    calls = [("c1", {"city": "A"}), ("c2", {"city": "B"})]
    assert [(call["id"], call["args"]) for call in named.tool_calls] == calls
    assert [(call["id"], call["args"]) for call in numbered.tool_calls] == calls
    assert named.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("announced", [True, False])
def test_a_call_that_comes_at_once_is_whole(announced: bool) -> None:
    """Arguments that only the finished item has are taken from it, once."""
    pieces = [added({**CALL, "arguments": ""})] if announced else []
    streamed = told(*pieces, done(CALL), completed(CALL))
    assert [call["args"] for call in streamed.tool_calls] == [{"city": "Paris"}]


def test_raw_reasoning_counts_as_reasoning() -> None:
    """Servers of open models send the reasoning itself instead of summaries."""
    streamed = told(
        said("reasoning_text.delta", delta="Hm", item_id="rs_1"),
        said("reasoning_text.delta", delta=".", item_id="rs_1"),
        text("Yes."),
        completed(SAID),
    )
    assert streamed.additional_kwargs["reasoning_content"] == "Hm."


def test_two_messages_of_one_reply_are_set_apart() -> None:
    """A separator stands between texts before and after a built-in tool, as in whole replies."""
    other = {**SAID, "id": "msg_2"}
    streamed = told(text("Let me see."), text("Let me see.", "msg_2"), completed(SAID, other))
    assert streamed.content == message_from_response(response(SAID, other)).content


def test_emoji_cut_in_two_by_the_server_comes_out_whole() -> None:
    """Half surrogate pairs in separate events lose nothing; a half that stays is marked."""
    assert told(text("\ud83d"), text("\ude00"), completed(SAID)).content == "😀"
    assert told(text("\ud83d"), completed(SAID)).content == "\ufffd"


def test_log_probabilities_add_up() -> None:
    """They come with the text, and are not counted again at the end."""
    one, two = {"token": "a", "logprob": -1}, {"token": "b", "logprob": -2}
    part = {"type": "output_text", "text": "ab", "annotations": [], "logprobs": [one, two]}
    streamed = told(
        text("a", logprobs=[one]),
        text("b", logprobs=[two]),
        completed({**SAID, "content": [part]}),
    )
    assert streamed.response_metadata["logprobs"] == {"content": [one, two]}


def test_a_reply_that_was_cut_says_so() -> None:
    """`response.incomplete` ends the stream with its reason."""
    cut = response(SAID, status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    streamed = told(text("Let me"), said("incomplete", response=cut))
    assert streamed.response_metadata["finish_reason"] == "length"


def test_a_refusal_is_an_error() -> None:
    """The model's words come as it says them, and end as an error."""
    decoder = ResponseDecoder()
    chunks = [*decoder.decode(said("refusal.delta", delta="I can't.", item_id="msg_1"))]
    assert chunks[0].additional_kwargs == {"refusal": "I can't."}
    list(decoder.decode(completed({**SAID, "content": []})))
    with pytest.raises(ContentFilterError, match=r"I can't\."):
        list(decoder.end())


@pytest.mark.parametrize(
    ("piece", "error", "match"),
    [
        (
            said(
                "failed",
                response=response(
                    status="failed", error={"code": "server_error", "message": "Broken."}
                ),
            ),
            ServerError,
            "Broken",
        ),
        (said("failed", response=response(status="failed")), ServerError, "did not say why"),
        (
            event({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}),
            RateLimitError,
            "Slow down",
        ),
        (
            event({"type": "error", "error": {"code": "invalid_prompt", "message": "No."}}),
            BadRequestError,
            r"No\.",
        ),
        (event({"type": "response.output_text.delta"}), MalformedReplyError, "base_url"),
    ],
)
def test_failures_in_mid_stream_keep_what_had_come(
    piece: bytes, error: type[ModelError], match: str
) -> None:
    """Each is the error that the other wire raises, and the partial reply is within reach."""
    decoder = ResponseDecoder()
    list(decoder.decode(text("Hel")))
    with pytest.raises(error, match=match):
        list(decoder.decode(piece))
    assert decoder.partial == AIMessage("Hel")


def test_a_stream_that_just_stops_is_an_error() -> None:
    """Without a last event the reply is not whole, even if the server says [DONE]."""
    with pytest.raises(StreamInterruptedError):
        decoded(text("Hel"), event("[DONE]"))
    assert ResponseDecoder().partial is None


DRAWN = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBO"}


@pytest.mark.parametrize(
    "finished",
    [[DRAWN], [SEARCH], [REASONING, DRAWN], [SAID, SEARCH, DRAWN]],
    ids=lambda items: "+".join(item["type"] for item in items),
)
def test_what_a_provider_s_tool_made_is_kept_if_the_stream_stops(
    finished: list[dict[str, Any]],
) -> None:
    """A finished picture or search is there before the end, and the end has the rest of it."""
    decoder = ResponseDecoder()
    pieces = [done(item, index) for index, item in enumerate(finished)]
    chunks = [chunk for piece in (CREATED, *pieces) for chunk in decoder.decode(piece)]
    broken = join_chunks(chunks).to_message()
    assert decoder.partial is not None
    for partial in (broken, decoder.partial):
        assert partial.additional_kwargs["output_items"] == finished
    chunks += decoder.decode(completed(*finished, CALL))
    whole = message_from_response(response(*finished, CALL))
    assert join_chunks(chunks).to_message().content_blocks == whole.content_blocks


def test_a_reply_that_broke_off_is_sent_back_as_text() -> None:
    """The server stores no items of it: a picture stays here, and the next turn works."""
    pieces = (CREATED, done(REASONING, 0), done(DRAWN, 1), text("Here", "msg_2"))
    decoder = ResponseDecoder()
    broken = join_chunks(chunk for piece in pieces for chunk in decoder.decode(piece)).to_message()
    assert reply_parts(broken).media
    assert sent_items(broken) == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Here", "annotations": []}],
        }
    ]


def test_bytes_may_be_cut_anywhere() -> None:
    """The same chunks come of every byte alone."""
    stream = CREATED + text("Grüße") + completed(SAID)
    assert decoded(*(stream[n : n + 1] for n in range(len(stream)))) == decoded(stream)
