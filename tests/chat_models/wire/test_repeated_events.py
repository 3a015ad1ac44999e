"""Events that repeat an earlier one with another text, which are read without parsing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnb.chat_models.anthropic.stream import MessageDecoder
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.errors import parse_json
from chatnb.chat_models.openai.responses_stream import ResponseDecoder
from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.errors import MalformedReplyError
from chatnb.schema import AIMessageChunk

Delta = Callable[[str, int], bytes]


def framed(name: str, payload: object, **how: Any) -> bytes:
    text = json.dumps(payload, **{"separators": (",", ":"), **how})
    field = f"event: {name}\n" if name else ""
    return f"{field}data: {text}\n\n".encode()


def completion(text: str, number: int, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **more}, "finish_reason": None}
    return framed("", {"id": "c", "choices": [choice]}, ensure_ascii=number % 3 == 0)


def obfuscated(text: str, number: int) -> bytes:
    """An event as OpenAI sends it, with characters that hide the length of its text."""
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    event = {"id": "c", "choices": [choice], "usage": None}
    return framed("", {**event, "obfuscation": "aB3" * (1 + number % 4)})


def anthropic(text: str, number: int) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return framed(
        "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    )


def response(text: str, number: int) -> bytes:
    name = "response.output_text.delta"
    event = {"type": name, "sequence_number": number, "item_id": "m", "output_index": 0}
    more = {"delta": text, "logprobs": list[object](), "obfuscation": "x" * (1 + number % 5)}
    return framed(name, {**event, **more}, ensure_ascii=False)


def opened_block() -> bytes:
    block = {"type": "text", "text": ""}
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    return framed("content_block_start", start)


WIRES: list[tuple[Callable[[], StreamDecoder], bytes, Delta]] = [
    (CompletionDecoder, b"", completion),
    (CompletionDecoder, b"", obfuscated),
    (MessageDecoder, opened_block(), anthropic),
    (ResponseDecoder, b"", response),
]
NAMES = ["completions", "OpenAI's completions", "Anthropic", "Responses"]


def chunks_of(decoder: StreamDecoder, pieces: list[bytes]) -> list[AIMessageChunk]:
    with closing(decoder):
        return [chunk for piece in pieces for chunk in decoder.decode(piece)]


def cut(data: bytes, ends: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(end % (len(data) + 1) for end in ends)})
    return [data[start:end] for start, end in pairwise(places)]


def with_crlf(data: bytes) -> bytes:
    """The same events with other line ends, all of which are parsed."""
    return data.replace(b"\n", b"\r\n")


words = st.sampled_from([" word", "Hi", "a", '"', "\\", "\n", "\t", "é", "日本", "😀", ""])
odd_texts = st.sampled_from(["\x7f", "\xa0", "\u2028", "\ufeff"])
texts = st.one_of(words, odd_texts, st.text(max_size=4))


@pytest.mark.parametrize(("new", "start", "delta"), WIRES, ids=NAMES)
@given(st.lists(texts, min_size=1, max_size=30), st.lists(st.integers(0, 10_000), max_size=20))
@example(["a", "b", "c", "d"], [60, 150, 300, 450])
def test_chunks_are_those_of_parsed_events(
    new: Callable[[], StreamDecoder], start: bytes, delta: Delta, said: list[str], ends: list[int]
) -> None:
    """The chunks are those of the parsed events, for all texts and wherever they are cut."""
    data = start + b"".join(delta(text, number) for number, text in enumerate(said))
    parsed = chunks_of(new(), [with_crlf(data)])
    assert chunks_of(new(), cut(data, ends)) == parsed
    assert chunks_of(new(), [part + b"\n\n" for part in data.split(b"\n\n")[:-1]]) == parsed


@given(st.lists(st.tuples(texts, st.sampled_from(range(8))), min_size=1, max_size=30))
def test_events_that_differ_in_more_are_parsed(rows: list[tuple[str, int]]) -> None:
    """Roles, ids, reasoning, other candidates, calls and finish reasons in between all count."""
    changes: list[dict[str, object]] = [
        *({}, {}, {}, {"role": "assistant"}, {"reasoning_content": "Hm."}),
        *({"refusal": "No."}, {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}),
        {"content": None},
    ]
    events = [completion(text, 0, **changes[change]) for text, change in rows]
    parsed = chunks_of(CompletionDecoder(), [with_crlf(b"".join(events))])
    assert chunks_of(CompletionDecoder(), events) == parsed


@pytest.mark.parametrize(("new", "start", "delta"), WIRES, ids=NAMES)
def test_an_emoji_may_be_cut_between_repeated_events(
    new: Callable[[], StreamDecoder], start: bytes, delta: Delta
) -> None:
    """Halves of an emoji, escaped in two events, are joined."""
    events = [delta(text, 3) for text in "abAUc"]
    events[2] = events[2].replace(b'"A"', rb'"\ud83d"')
    events[3] = events[3].replace(b'"U"', rb'"\ude00"')
    chunks = chunks_of(new(), [start, *events])
    assert "".join(chunk.text for chunk in chunks) == "ab😀c"


@pytest.mark.parametrize("each", [True, False], ids=["a piece for each", "large pieces"])
def test_repeated_events_are_not_parsed(each: bool) -> None:
    """Of a thousand events that differ in their texts alone, a few are parsed, of any text."""
    parsed = list[bytes]()

    def parse(data: bytes) -> Any:
        parsed.append(data)
        return parse_json(data)

    said = [f' {number} é "quoted" \\n \n' for number in range(1_000)]
    events = [obfuscated(text, number) for number, text in enumerate(said)]
    events[0] = completion(said[0], 0, role="assistant")
    pieces = events if each else [b"".join(events[:10]), *cut(b"".join(events[10:]), [70_000])]
    chunks = chunks_of(CompletionDecoder(parse), pieces)
    assert [chunk.content for chunk in chunks] == said
    assert len(parsed) < 20


def broken_inside() -> Iterator[bytes]:
    """Events that are equal to earlier ones around their text, which is no JSON string."""
    event = completion("#", 1)
    for inside in (b"\x01", b"\\x", b"\\u12", b'a"b', b"\\", b'","role":"x', b"\t"):
        yield event.replace(b"#", inside)


@pytest.mark.parametrize("event", broken_inside(), ids=repr)
def test_an_event_is_not_taken_for_its_surroundings(event: bytes) -> None:
    """Bytes in the place of the text count only if they are the inside of a JSON string."""

    def read(*events: bytes) -> object:
        try:
            return chunks_of(CompletionDecoder(), list(events))
        except MalformedReplyError as error:
            return str(error)

    known = [completion(text, 1) for text in "abc"]
    assert read(*known, event) == read(with_crlf(b"".join([*known, event])))


def test_a_text_that_stands_elsewhere_too_is_told_apart() -> None:
    """A text equal to another field's value is not mistaken for it."""

    def event(text: str, model: str) -> bytes:
        choice = {"index": 0, "delta": {"content": text}}
        return framed("", {"id": "c", "model": model, "choices": [choice]})

    rows = [("Hi", "Hi"), ("Hi", "other"), ("Hi", "Hi"), ("no", "Hi"), ("Hi", "no")]
    chunks = chunks_of(CompletionDecoder(), [event(*row) for row in rows])
    assert [chunk.content for chunk in chunks] == [text for text, _ in rows]


def test_what_follows_a_varying_field_counts() -> None:
    """An event with one more field after its obfuscation is not taken for one without."""
    end = framed("", {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
    last = obfuscated("d", 1).replace(b"}\n\n", b"," + end[len(b"data: {") :])
    for number in (0, 1):
        events = [obfuscated(text, number) for text in "abc"]
        chunks = chunks_of(CompletionDecoder(), [*events, last])
        assert [chunk.content for chunk in chunks] == ["a", "b", "c", "d"]
        assert chunks[-1].usage_metadata is not None


def test_events_that_always_differ_are_parsed_once() -> None:
    """Events that each have a value of their own are soon no longer compared."""
    parsed = list[bytes]()

    def parse(data: bytes) -> Any:
        parsed.append(data)
        return parse_json(data)

    events = [
        framed("", {"id": "c", "t": number, "choices": [{"index": 0, "delta": {"content": "a"}}]})
        for number in range(1_000)
    ]
    assert len(chunks_of(CompletionDecoder(parse), events)) == 1_000
    assert len(parsed) < 1_050


def test_texts_after_a_phase_are_kept_apart() -> None:
    """Commentary of the Responses API is told from the answer also in events that repeat others."""
    item = {"type": "message", "id": "m", "phase": "commentary", "content": []}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    events = [response(text, 1) for text in "abc"]
    announced = framed("response.output_item.added", added)
    chunks = chunks_of(ResponseDecoder(), [*events, announced, *events])
    parsed = chunks_of(ResponseDecoder(), [with_crlf(b"".join([*events, announced, *events]))])
    assert chunks == parsed
    assert "commentary" in chunks[-1].additional_kwargs
