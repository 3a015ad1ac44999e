from __future__ import annotations

import json
from collections import Counter, OrderedDict, UserDict, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from math import isnan
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatGeneration,
    ChatPromptValue,
    FunctionMessage,
    HumanMessage,
    LLMResult,
    RunInfo,
    RunLog,
    RunLogPatch,
    StringPromptValue,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.messages import as_chunk
from chatnb.schema.run_logs.json_values import from_json, to_json
from tests.support.message_strategies import message
from tests.support.run_log_strategies import BEGUN, VALUES, add, begun, chunk, patches

_HASHABLE = (
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.uuids() | st.dates()
)
_ANY = st.recursive(
    VALUES | _HASHABLE | st.decimals(allow_nan=False) | st.timedeltas() | st.times()
    # Some moments exist twice, and such a one equals no moment of another time zone.
    | st.datetimes() | st.datetimes(timezones=st.just(timezone(timedelta(hours=5, seconds=7)))),
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.sets(_HASHABLE, max_size=3)
    | st.frozensets(_HASHABLE, max_size=3)
    | st.dictionaries(_HASHABLE | st.just("__chatnb__"), inner, max_size=3)
    | st.builds(ToolMessage, st.text(), tool_call_id=st.text(), artifact=inner),
    max_leaves=8,
)  # fmt: skip


def _alike(one: Any, other: Any) -> bool:
    """Equal and of one type, for `1 == True` and a set equals a frozenset."""
    return one == other and type(one) is type(other)


@given(_ANY)
def test_any_value_survives(value: Any) -> None:
    """JSON's types, messages, tuples, sets, bytes, times and any keys are read back equal."""
    line = to_json(value)
    assert line.isascii()
    assert "\n" not in line
    assert _alike(from_json(line), value)


def test_messages_and_chunks_of_every_kind_survive() -> None:
    """They come back equal and of their class, sums and chunks that were read too."""
    for seed in range(60):
        piece = as_chunk(message(seed))
        given: list[BaseMessage] = [message(seed + 1), piece, piece + piece, AIMessageChunk("a")]
        given.append(AIMessageChunk("a", id="m1") + AIMessageChunk("b"))
        read = from_json(to_json(given))
        assert read == given
        assert list(map(type, read)) == list(map(type, given))


def test_what_a_message_says_of_its_call_survives() -> None:
    """Usage, metadata, ids and artifacts, whatever is in them."""
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    given = [
        AIMessage(
            "Hi \ud83d", id="r", usage_metadata=usage, response_metadata={"at": date.today()}
        ),  # pyright: ignore
        AIMessageChunk("", usage_metadata=usage, response_metadata={"finish_reason": "stop"}),  # pyright: ignore
        ToolMessage("", tool_call_id="c", status="error", artifact={1: (2, b"3")}),
        FunctionMessage("", name=""),
        AIMessage([], name="", id="", usage_metadata={}),  # pyright: ignore
    ]
    assert from_json(to_json(given)) == given


def test_a_chunk_of_text_stays_small_and_quick() -> None:
    """Writing a chunk creates none of its unread fields, and writes none."""
    piece = AIMessageChunk("Hi", id="m")
    fields = set(vars(piece))
    assert len(to_json(piece)) < 110
    assert set(vars(piece)) == fields


@pytest.mark.parametrize(
    "value",
    [
        StringPromptValue("Hi"),
        ChatPromptValue([SystemMessage("Be brief."), HumanMessage("Hi")]),
        LLMResult(
            [[ChatGeneration(message=AIMessage("Hi"))]], {"n": 1}, [RunInfo(UUID(int=1))]
        ).as_dict(),
        datetime(2026, 11, 22, tzinfo=UTC),
        time(1, 2, tzinfo=UTC),
        [float("inf"), -float("inf"), -0.0],
        [2**100_000, -(2**5000)],
        Decimal("1.10"),
        {"__chatnb__": "message", "value": {"type": "ai", "data": {"content": "no"}}},
        {"__chatnb__": 1, "other": {"__chatnb__": {}}},
        {(1, "a"): {None: 1, True: 2}, 2.5: "x"},
        {"a": {frozenset({1}), ("b", b"c")}},
    ],
)
def test_more_values_come_back_equal(value: Any) -> None:
    """Prompts, results, huge numbers, odd keys, and dicts that look like the log's own."""
    assert _alike(from_json(to_json(value)), value)


def test_what_is_not_a_number_comes_back_so() -> None:
    """NaN is written as JSON, which has no such number."""
    line = to_json([float("nan")])
    assert "NaN" not in line
    assert isnan(from_json(line)[0])


class _Colour(Enum):
    RED = ("r", 1)


class _Level(IntEnum):
    HIGH = 3


class _Name(StrEnum):
    ADA = "ada"


class _Document(BaseModel):
    page: str
    key: SecretStr
    hidden: str = Field(default="sk-1", repr=False)
    inner: list[Any]


@dataclass
class _Point:
    x: int
    at: tuple[int, int]
    key: str = field(default="sk-1", repr=False)


@dataclass(frozen=True)
class _Frozen:
    x: int


class _Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class _Mine(HumanMessage):
    pass


_Pair = namedtuple("_Pair", "a b")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (
            _Document(page="a", key=SecretStr("sk-1"), inner=[AIMessage("b")]),
            {"page": "a", "key": "SecretStr('**********')", "inner": [AIMessage("b")]},
        ),
        (_Point(1, (2, 3)), {"x": 1, "at": (2, 3)}),
        (ValueError("no"), {"type": "ValueError", "message": "no"}),
        (KeyboardInterrupt(), {"type": "KeyboardInterrupt", "message": ""}),
        ([_Colour.RED, _Level.HIGH, _Name.ADA], [("r", 1), 3, "ada"]),
        ([OrderedDict(a=1), Counter("a"), UserDict(a=1)], [{"a": 1}] * 3),
        (_Pair(1, [2]), (1, [2])),
        (bytearray(b"a"), b"a"),
        (PurePosixPath("a/b"), "a/b"),
        ([1 + 2j, range(3), len], ["(1+2j)", "range(0, 3)", "<built-in function len>"]),
        (_Mute(), "<_Mute that cannot be shown>"),
        ({_Frozen(1)}, [{"x": 1}]),
        ({_Frozen(1): 2}, [[{"x": 1}, 2]]),
        (pd.NaT, "NaT"),
        (_Point, f"<class '{__name__}._Point'>"),
    ],
)
def test_what_cannot_come_back_equal_comes_back_plain(value: Any, plain: Any) -> None:
    """Plain data where it has some, without what a repr would hide, and else the repr."""
    assert from_json(to_json(value)) == plain


def test_a_message_of_ones_own_class_comes_back_plain() -> None:
    """Its fields, rather than a message that it is not."""
    assert from_json(to_json(_Mine("Hi", id="m")))["id"] == "m"


def test_a_tools_artifact_may_be_anything() -> None:
    """One that cannot be compared to nothing, or asked whether it is, becomes its repr."""
    table = pd.DataFrame({"a": [1, 2]})
    read = from_json(to_json(ToolMessage("", tool_call_id="c", artifact=table)))
    assert read.artifact == repr(table)


def test_what_holds_itself_or_is_too_deep_is_written() -> None:
    """No log breaks for it."""
    loop: dict[str, Any] = {"a": [1]}
    loop["self"] = loop
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    twice = [1]
    assert from_json(to_json(loop))["self"] == "{'a': [1], 'self': {...}}"
    assert from_json(to_json(deep))[0][0]
    assert from_json(to_json([twice, twice])) == [twice, twice]


@pytest.mark.slow
@given(patches())
def test_any_log_survives_its_lines(steps: list[RunLogPatch]) -> None:
    """Patches come back equal, and so do their log and its state."""
    log = RunLog(*steps)
    lines = [step.to_json() for step in steps]
    assert [RunLogPatch.from_json(line) for line in lines] == steps
    assert RunLog.load(lines) == RunLog.load(line.encode() + b"\n" for line in lines) == log
    assert RunLog.load(lines).state == log.state


def test_a_line_is_of_the_documented_form() -> None:
    """Operations, and time and root only where there are any."""
    patch = RunLogPatch(add("/a", 1), time=BEGUN, root={"name": "chain"})
    assert json.loads(patch.to_json()) == {
        "ops": [{"op": "add", "path": "/a", "value": 1}],
        "time": BEGUN,
        "root": {"name": "chain"},
    }
    assert set(json.loads(chunk("a").to_json())) == {"ops"}


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_log_can_be_saved_and_loaded(tmp_path: Path, as_path: Any) -> None:
    """The file has a line a patch; a log that was saved there before is replaced."""
    path = as_path(tmp_path / "run.jsonl")
    log = begun({"name": "chain"}) + chunk("naïve \u2028 😀") + chunk("b")
    log.save(path)
    log.save(path)
    assert RunLog.load(path) == log
    assert len(Path(path).read_bytes().splitlines()) == 3


def test_a_file_that_broke_off_is_read_up_to_there(tmp_path: Path) -> None:
    """Of a file whose last line a crash cut, everything before it is there and nothing is said."""
    path = tmp_path / "run.jsonl"
    log = begun() + chunk("a") + chunk("b")
    log.save(path)
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for kept in range(len(last) - 1):
        path.write_bytes(whole[: len(whole) - len(last) + kept])
        assert RunLog.load(path) == begun() + chunk("a")
    path.write_bytes(whole[:-1])
    assert RunLog.load(path) == log
    path.write_bytes(whole[: -len(last)] + b"\0" * 8)
    assert RunLog.load(path) == begun() + chunk("a")
    path.write_bytes(b"")
    assert RunLog.load(path) == RunLog()


_GOOD = chunk("a").to_json()
_OP = '{"op": "add", "path": "/a", "value": %s}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"ops": [', "not JSON"),
        (b"\xff", "not JSON"),
        ("[1]", "A patch has the form"),
        ('{"ops": [1]}', "A patch has the form"),
        ('{"ops": [{"op": "add"}]}', "A patch has the form"),
        ('{"ops": [], "time": 1}', "time is a string"),
        ('{"ops": [], "root": 1}', "root a dict"),
        (
            '{"ops": [%s]}' % (_OP % '{"__chatnb__": "pickle", "value": ""}'),
            "not a value of a run log",
        ),
        (
            '{"ops": [%s]}' % (_OP % '{"__chatnb__": ["uuid"], "value": ""}'),
            "not a value of a run log",
        ),
        ('{"ops": [%s]}' % (_OP % '{"__chatnb__": "uuid"}'), "not a value of a run log"),
        ('{"ops": [%s]}' % (_OP % '{"__chatnb__": "uuid", "value": 1}'), "not a uuid of a run log"),
        (
            '{"ops": [%s]}' % (_OP % '{"__chatnb__": "bytes", "value": "!"}'),
            "not a bytes of a run log",
        ),
        ('{"ops": [%s]}' % (_OP % '{"__chatnb__": "decimal", "value": "x"}'), "not a decimal"),
        (
            '{"ops": [%s]}' % (_OP % '{"__chatnb__": "timedelta", "value": [9999999999999]}'),
            "not a timedelta",
        ),
        (
            '{"ops": [%s]}' % (_OP % '{"__chatnb__": "message", "value": {"type": "x"}}'),
            "not a message of a run log",
        ),
        ('{"ops": [%s]}' % (_OP % ("[" * 100_000 + "]" * 100_000)), "nested too deeply"),
        ('{"ops": [%s]}' % (_OP % ("9" * 10_000)), "Line 3"),
    ],
)
def test_a_line_that_is_no_patch_is_an_error_with_its_number(line: Any, said: str) -> None:
    """A wrong line in the middle, or a whole last line, is named by its number."""
    end = b"\n" if isinstance(line, bytes) else "\n"
    for lines in ([_GOOD, "", line, _GOOD], [_GOOD, "", line + end]):
        with pytest.raises(ValueError, match=rf"(?s)^Line 3: .*{said}|{said}: "):
            RunLog.load(lines)


def test_a_whole_last_line_that_is_no_patch_is_no_crashs_doing() -> None:
    """JSON that is whole was not cut off, even where its line end is missing."""
    with pytest.raises(ValueError, match="Line 2: A patch has the form"):
        RunLog.load([_GOOD, "[1]"])


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """Reading no file is told apart from reading a bad one."""
    with pytest.raises(FileNotFoundError):
        RunLog.load(tmp_path / "none.jsonl")
