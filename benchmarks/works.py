"""The works that are measured, and their bounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """chatnb takes at most `most` times what the peer takes, or `most` seconds more than it."""

    peer: str
    most: float
    more: bool = False

    def reached(self, ours: float, theirs: float) -> float:
        return ours - theirs if self.more else ours / theirs


NOTHING = "nothing"
"""The peer that takes no time."""


@dataclass(frozen=True)
class Work:
    """One row: a method of the clients, or a statement in a fresh process for each peer."""

    name: str
    title: str
    unit: str
    bounds: tuple[Bound, ...]
    number: int = 1
    quick: int = 1
    rounds: int | None = None
    beside: str = ""
    """Another work of chatnb's own that this one is measured beside."""
    statements: tuple[tuple[str, str], ...] = ()


CHUNK = "µs a chunk"
CALL = "ms a call"
SECONDS = {"µs a chunk": 1e-6, "µs a call": 1e-6, "ms a call": 1e-3, "ms": 1e-3, "s": 1, "MB": 1e6}
"""The seconds (or bytes) of a unit."""

SDK_CHUNK = Bound("sdk", 0.25)
BATCH = (Bound("floor", 1.25), Bound("langchain", 0.6), Bound("sdk", 1.0))
SUM = (Bound("langchain", 0.05),)

WORKS = (
    Work("stream", "`stream`", CHUNK, (SDK_CHUNK, Bound("floor", 1.5)), 4_000, 2_000),
    Work("astream", "`astream`", CHUNK, (SDK_CHUNK, Bound("floor", 1.2)), 4_000, 2_000),
    Work(
        "stream_each",
        "`stream`, an HTTP chunk for each",
        CHUNK,
        (SDK_CHUNK, Bound("floor", 1.2)),
        4_000,
        1_000,
    ),
    Work(
        "astream_each",
        "`astream`, an HTTP chunk for each",
        CHUNK,
        (SDK_CHUNK, Bound("floor", 1.1)),
        4_000,
        1_000,
    ),
    Work("first_chunk", "first chunk of `stream`", CALL, (Bound("sdk", 1.05),), 50, 30),
    Work("afirst_chunk", "first chunk of `astream`", CALL, (Bound("sdk", 1.05),), 50, 30),
    Work("invoke", "`invoke`", CALL, (Bound("sdk", 1.1),), 100, 50),
    Work("ainvoke", "`ainvoke`", CALL, (Bound("sdk", 1.1),), 100, 50),
    Work("batch", "`batch`: 300 calls of 20 ms, 64 at once", CALL, BATCH, 300, 300),
    Work("abatch", "`abatch`: the same", CALL, BATCH, 300, 300),
    Work(
        "generate",
        "`generate`: 1,000 calls of 20 ms, 64 at once",
        CALL,
        (Bound("batch", 1.15),),
        1_000,
        300,
        beside="batch",
    ),
    Work(
        "own_batch",
        "`batch`, a model that answers at once, CPU",
        "µs a call",
        (Bound(NOTHING, 10e-6, more=True),),
        3_000,
        3_000,
    ),
    Work(
        "own_generate",
        "`generate`, the same",
        "µs a call",
        (Bound(NOTHING, 15e-6, more=True),),
        3_000,
        3_000,
    ),
    Work(
        "prices", "price of a call, CPU", "µs a call", (Bound(NOTHING, 10e-6, more=True),), 10_000
    ),
    Work(
        "streams", "200 streams at once, 500 chunks each", "s", (Bound("sdk", 0.15),), 500, 200, 3
    ),
    Work("sum_chunks", "`sum(chunks)`, 16,000 chunks", CHUNK, SUM, 16_000, 16_000),
    Work("add_chunks", "`full = full + chunk`, 16,000 chunks", CHUNK, SUM, 16_000, 16_000),
    Work("add_tool_chunks", "arguments of a tool in 2,000 deltas", CHUNK, SUM, 2_000, 1_000),
    Work(
        "chains",
        "`(prompt | model | parser).invoke`, a fake model",
        "µs a call",
        (Bound("langchain", 0.1),),
        2_000,
        500,
    ),
    Work(
        "astream_log",
        "`astream_log`",
        CHUNK,
        (Bound("langchain", 0.1), Bound("astream_each", 1.25)),
        2_000,
        500,
        beside="astream_each",
    ),
    Work("fold", "1,000 patches added up", "ms", (Bound("langchain", 0.005),), 1_000, 200, 1),
    Work("fold_each", "1,000 logs, each read", "ms", (Bound("langchain", 0.002),), 1_000, 500, 1),
    Work("memory", "memory that 1,000,000 chunks add", "MB", (), 1_000_000, 200_000, 1),
    Work(
        "import_chatnb",
        "`import chatnb`",
        "ms",
        (Bound("python", 1.3),),
        statements=(("python", "pass"), ("chatnb", "import chatnb")),
    ),
    Work(
        "import_messages",
        "`from chatnb.schema import HumanMessage`",
        "ms",
        (Bound("langchain", 0.25),),
        statements=(
            ("chatnb", "from chatnb.schema import HumanMessage"),
            ("langchain", "import langchain_core.messages"),
        ),
    ),
    Work(
        "import_models",
        "`from chatnb.chat_models import ChatOpenAI`",
        "ms",
        (Bound("langchain", 0.15),),
        statements=(
            ("chatnb", "from chatnb.chat_models import ChatOpenAI"),
            ("langchain", "import langchain_openai"),
        ),
    ),
    Work(
        "load_ext",
        "a kernel with `%load_ext chatnb`",
        "s",
        (Bound("kernel", 0.1, more=True),),
        statements=(("kernel", "pass"), ("chatnb", "%load_ext chatnb")),
    ),
)
