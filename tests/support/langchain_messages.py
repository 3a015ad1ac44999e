"""Messages of every kind, made up by hypothesis, on chatnb's side and on LangChain's."""

from __future__ import annotations

from typing import Any

import langchain_core.messages as theirs
from hypothesis import strategies as st

import chatnb.schema.messages as ours
from chatnb.schema.tool_calls import invalid_tool_call, tool_call, tool_call_chunk

TEXT = st.text(max_size=8)
MAYBE_TEXT = st.none() | TEXT
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.dictionaries(TEXT, JSON, max_size=2)
PARTS = st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "x"])}).flatmap(
    lambda part: FIELDS.map(lambda more: {**more, **part})
)
CONTENT = TEXT | st.lists(TEXT | PARTS, max_size=3)
CALLS = st.lists(st.builds(tool_call, name=TEXT, args=FIELDS, id=MAYBE_TEXT), max_size=2)
INVALID = st.lists(
    st.builds(invalid_tool_call, name=MAYBE_TEXT, args=MAYBE_TEXT, id=MAYBE_TEXT, error=MAYBE_TEXT),
    max_size=2,
)
JSON_PIECES = st.sampled_from([None, "", "{}", '{"a": 1}', '{"a"', "1}", "[1]", "{{"])
WHOLE_PIECES = st.builds(
    tool_call_chunk,
    name=MAYBE_TEXT,
    args=JSON_PIECES,
    id=MAYBE_TEXT,
    index=st.none() | st.integers(0, 3),
)
BROKEN_PIECES = st.builds(
    lambda piece, id, error: {**piece, "id": str(id), "error": error},
    WHOLE_PIECES,
    st.uuids(),
    TEXT,
)
DETAILS = ["audio", "cache_creation", "reasoning", "accepted_prediction", "rejected_prediction"]


def _usage(cached: str) -> st.SearchStrategy[Any]:
    details = st.dictionaries(st.sampled_from([cached, *DETAILS]), st.integers(0, 99), max_size=3)
    counts = {name: st.integers(0, 999) for name in ("input_tokens", "output_tokens")}
    return st.none() | st.fixed_dictionaries(
        {**counts, "total_tokens": st.integers(0, 999)},
        optional={"input_token_details": details, "output_token_details": details},
    )


def _common(**more: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "content": CONTENT,
        "additional_kwargs": FIELDS,
        "response_metadata": FIELDS,
        "name": MAYBE_TEXT,
        "id": MAYBE_TEXT,
        **more,
    }


def _kinds(side: Any, cached: str, pieces: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    usage = _usage(cached)
    answer = {
        "tool_call_id": TEXT,
        "status": st.sampled_from(["success", "error"]),
        "artifact": JSON,
    }
    replies = [
        st.builds(
            side.AIMessage,
            **_common(usage_metadata=usage, tool_calls=CALLS, invalid_tool_calls=INVALID),
        ),
        st.builds(
            side.AIMessageChunk,
            **_common(usage_metadata=usage, tool_call_chunks=st.lists(pieces, max_size=3)),
        ),
    ]
    rest = [
        st.builds(getattr(side, f"{role}Message{piece}"), **_common(**more))
        for piece in ("", "Chunk")
        for role, more in {
            "Human": {},
            "System": {},
            "Tool": answer,
            "Function": {"name": TEXT},
            "Chat": {"role": TEXT},
        }.items()
    ]
    return st.one_of(*replies, *rest)


OURS = _kinds(ours, "cached", WHOLE_PIECES | BROKEN_PIECES)
THEIRS = _kinds(theirs, "cache_read", WHOLE_PIECES) | st.builds(
    theirs.AIMessageChunk,
    content=CONTENT,
    tool_calls=CALLS,
    invalid_tool_calls=st.lists(
        st.builds(
            invalid_tool_call, name=TEXT, args=JSON_PIECES, id=st.uuids().map(str), error=TEXT
        ),
        max_size=2,
    ),
)
