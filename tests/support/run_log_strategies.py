"""Logs of runs, made up as the contract of their patches says."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, RunLogPatch
from chatnb.schema.json_patch import escape_key

BEGUN = "2026-11-22T10:00:00.000000+00:00"
ENDED = "2026-11-22T10:00:01.000000+00:00"
NAMES = st.sampled_from(["model", "a/b", "~", "~1", "a b", "", "-", "0", "naïve ☃"])
TEXTS = st.text(max_size=6)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    LEAVES | st.builds(AIMessage, TEXTS) | st.builds(AIMessageChunk, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3),
    max_leaves=8,
)
USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def add(path: str, value: Any) -> dict[str, Any]:
    """An operation that adds."""
    return {"op": "add", "path": path, "value": value}


def begun(root: dict[str, Any] | None = None) -> RunLogPatch:
    """The first patch of a log."""
    state = {"id": "root", "streamed_output": [], "final_output": None, "logs": {}}
    return RunLogPatch({"op": "replace", "path": "", "value": state}, time=BEGUN, root=root)  # pyright: ignore[reportArgumentType]


def chunk(text: str) -> RunLogPatch:
    """A patch with a chunk of the logged run."""
    return RunLogPatch(add("/streamed_output/-", AIMessageChunk(text)))


def entry(
    id: str, parent_id: str | None = "root", *, name: str = "model", type: str = "llm", **said: Any
) -> dict[str, Any]:
    """The entry of a run that has just begun."""
    upstream = {"tags": [], "metadata": {}, "start_time": BEGUN, "streamed_output_str": []}
    unsaid = {"error": None, "first_token_time": None, "usage_metadata": None}
    begun = {**upstream, "final_output": None, "end_time": None, "parent_id": parent_id}
    return {"id": id, "name": name, "type": type, **begun, "inputs": "Hi", **unsaid, **said}


def ended(key: str, output: Any = None, **said: Any) -> RunLogPatch:
    """The patch with which a run within the logged one ends."""
    at = f"/logs/{escape_key(key)}"
    told = {"final_output": {"output": output}, "end_time": ENDED, **said}
    return RunLogPatch(*(add(f"{at}/{name}", value) for name, value in told.items()), time=ENDED)


@st.composite
def patches(draw: st.DrawFn) -> list[RunLogPatch]:
    """The patches of a run with other runs within it, repeated names and odd ones among them."""
    made = [begun({"name": draw(NAMES), "inputs": draw(VALUES)})]
    keys = list[str]()
    for number, name in enumerate(draw(st.lists(NAMES, max_size=5))):
        key = name if name not in keys else f"{name}:{number + 1}"
        keys.append(key)
        parent = draw(st.sampled_from(["root", *(f"r{n}" for n in range(number))]))
        made.append(
            RunLogPatch(add(f"/logs/{escape_key(key)}", entry(f"r{number}", parent, name=name)))
        )
    for key in draw(st.lists(st.sampled_from(keys), max_size=8)) if keys else []:
        made.append(RunLogPatch(add(f"/logs/{escape_key(key)}/streamed_output_str/-", draw(TEXTS))))
    made += (ended(key, draw(VALUES), usage_metadata=USAGE) for key in keys if draw(st.booleans()))
    made += (chunk(text) for text in draw(st.lists(TEXTS, max_size=4)))
    output = {"output": [draw(VALUES), HumanMessage("Hi")]}
    made.append(RunLogPatch({"op": "replace", "path": "/final_output", "value": output}))
    return made
