from __future__ import annotations

import asyncio
import html
import json
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.notebook.run_tree.tree import RunLogTree
from chatnb.notebook.run_tree.updates import RunTreeUpdates
from chatnb.notebook.widgets.formatting import value_text
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage, ChatPromptValue, HumanMessage, LLMResult
from chatnb.schema.results import ChatGeneration
from chatnb.schema.run_logs.log import RunLog, RunLogPatch
from chatnb.schema.run_logs.tree import run_rows
from tests.support.run_logs import (
    LogWriter,
    branches,
    failure,
    generated,
    many,
    nested,
    story,
    tokens,
)

HOSTILE = "<img src=x onerror=alert(1)>&<script>alert(2)</script>"


# What is sent to a browser.


def test_pages_hold_every_patch_once_in_messages_of_bounded_size() -> None:
    """From page to page no patch is left out, and none of the messages is long."""
    wire = wire_of(many(2_000).patches)
    first, messages = 0, list[int]()
    while first < len(wire):
        page = wire.page(first)
        assert (page["first"], page["total"]) == (first, len(wire))
        messages.append(len(json.dumps(page)))
        first += len(page["patches"])
    assert first == len(wire)
    assert max(messages) < 260_000
    assert wire.page(len(wire))["patches"] == []


def test_what_is_sent_grows_with_the_log_and_not_faster() -> None:
    """Ten times the tokens are ten times the bytes."""

    def sent(words: int) -> int:
        log = LogWriter("words")
        call = log.start("model", "llm")
        for _ in range(words):
            log.token(call, "word ")
        wire = wire_of(log.patches)
        return sum(len(json.dumps(patch)) for patch in all_of(wire))

    assert sent(3_000) / sent(300) < 10.1
    assert sent(3_000) / 3_000 < 140


def test_huge_values_are_cut_and_what_was_cut_is_counted() -> None:
    """A value of any size is sent as ten thousand characters at most."""
    log = LogWriter("huge", "x" * 1_000_000)
    call = log.start(
        "model", "llm", inputs={"rows": list(range(100_000))}, metadata={"m": "y" * 99}
    )
    log.token(call, "z" * 50_000)
    log.end(call, error=failure("ValueError", "v" * 50_000))
    written = all_of(wire_of(log.patches))
    assert written[0]["root"]["inputs"] == {"text": "x" * 10_000, "more": 990_000}
    assert written[1]["ops"][0]["value"]["inputs"]["more"] > 500_000
    assert written[2]["ops"][0]["value"].endswith("… [40,000 more characters]")
    assert len(json.dumps(written)) < 70_000


def test_any_value_can_be_sent() -> None:
    """Live objects, half characters, numbers that JSON does not know, and values that hold
    themselves neither fail nor stop the ones after them."""

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    ring: list[object] = []
    ring.append(ring)
    log = LogWriter("odd", Odd())
    for value in (
        ring,
        {1: Odd(), (2, 3): 4},
        float("nan"),
        b"\xff",
        "\ud83d",
        object(),
        10**5_000,
    ):
        log.start("odd", "chain", inputs=value, metadata={"value": value})
        log.chunk(value)
    for patch in all_of(wire_of(log.patches)):
        json.dumps(patch, ensure_ascii=False).encode()


def test_a_character_that_was_split_between_tokens_comes_whole() -> None:
    """Half a surrogate pair waits for the other half, in each stream by itself."""
    log = LogWriter("halves")
    one, two = log.start("one", "llm"), log.start("two", "llm")
    for key, text in ((one, "a\ud83d"), (two, "\ud83d"), (one, "\ude00b"), (two, "c")):
        log.token(key, text)
    pieces = [patch["ops"][0]["value"] for patch in all_of(wire_of(log.patches))[3:]]
    assert pieces == ["a", "", "😀b", "\ufffdc"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (AIMessage("Hello."), "Hello."),
        ([HumanMessage("Hi"), AIMessage("Hello.")], "Human: Hi\nAI: Hello."),
        (ChatPromptValue([HumanMessage("Hi")]), "Human: Hi"),
        ({"output": "x"}, "x"),
        (LLMResult([[ChatGeneration(message=AIMessage("Hello."))]]).as_dict(), "Hello."),
        ({"a": [HumanMessage("Hi")]}, '{\n  "a": [\n    "Human: Hi"\n  ]\n}'),
        (3, "3"),
        ([], "[]"),
    ],
)
def test_values_are_shown_as_people_read_them(value: object, text: str) -> None:
    """Messages as a transcript, results by what they hold, data as indented JSON."""
    assert value_text(value) == text


# What stays in the notebook file.


def test_text_tree() -> None:
    """The whole run can be read in a terminal and on a page that shows only text."""
    assert (
        run_tree_mimebundle(log_of(story()))["text/plain"]
        == """\
answer_with_sources · chain · 1.16 s
└─ RunnableSequence · chain · 1.16 s
   ├─ ChatPromptTemplate · prompt · 4 ms
   ├─ RunnableParallel · chain · 1.15 s
   │  ├─ RunnableRetry · chain · 1.15 s
   │  │  ├─ ChatOpenAI · llm · failed · 420 ms · RateLimitError: Too many requests. Try again in \
a moment.
   │  │  └─ ChatOpenAI · llm · 730 ms · 1,290 tokens
   │  └─ look_up · tool · 730 ms
   └─ StrOutputParser · parser · 3 ms
9 runs · 1,204 tokens in, 86 out"""
    )


def test_branches_have_their_keys_and_wrappers_of_one_run_are_left_out() -> None:
    """The run that is left has the key of its wrapper's branch; no run is missing in the sum."""
    shown = run_tree_mimebundle(log_of(branches()))
    assert (
        shown["text/plain"]
        == """\
write · chain · failed · 200 ms · ValueError: no
└─ RunnableParallel · chain · failed · 200 ms · ValueError: no
   ├─ story: ChatLocal · llm · 200 ms · 7 tokens
   └─ <facts>: search · tool · failed · 200 ms · ValueError: no
9 runs · 5 tokens in, 2 out"""
    )
    assert "<b>story: ChatLocal</b>" in shown["text/html"]
    assert "<b>&lt;facts&gt;: search</b>" in shown["text/html"]


def test_wrappers_that_may_start_another_run_or_end_otherwise_are_shown() -> None:
    """A wrapper that runs, has an outcome of its own or a name of its own is a row."""
    log = LogWriter("write")
    named = log.start("my steps", "chain")
    running = log.start("RunnableRetry", "chain", named)
    call = log.start("ChatLocal", "llm", running)
    log.end(call, error=failure())
    names = [line.split(" · ")[0].strip("└─ ") for line in text_lines(log)]
    assert names == ["write", "my steps", "RunnableRetry", "ChatLocal", "4 runs"]
    log.end(running, "default")
    assert [line.split(" · ")[0].strip("└─ ") for line in text_lines(log)] == names
    log.end(named, "default")
    assert len(text_lines(log)) == len(names)


def text_lines(log: LogWriter) -> list[str]:
    return str(run_tree_mimebundle(log_of(log))["text/plain"]).splitlines()


def test_html_tree_is_escaped_and_balanced() -> None:
    """Nothing that a run was given or gave can act in a page, and what is opened is closed."""
    log = LogWriter(HOSTILE, HOSTILE)
    call = log.start(HOSTILE, HOSTILE, inputs=HOSTILE)
    log.token(call, HOSTILE)
    log.end(call, HOSTILE, error=failure(HOSTILE, HOSTILE))
    log.finish(HOSTILE)
    shown = run_tree_mimebundle(log_of(log))["text/html"]
    assert set(re.findall(r"<(\w+)", shown)) == {"div", "details", "summary", "b", "pre"}
    for tag in ("div", "details", "summary", "b", "pre"):
        assert shown.count(f"<{tag}") == shown.count(f"</{tag}>")
    assert html.escape(HOSTILE) in shown


def test_html_tree_nests_as_the_runs_do() -> None:
    """Ten levels of runs are ten levels of details."""
    shown = run_tree_mimebundle(log_of(nested(10)))["text/html"]
    depth, deepest = 0, 0
    for tag in re.findall(r"<details open|<details |</details>", shown):
        depth += -1 if tag == "</details>" else 1
        deepest = max(deepest, depth)
    assert depth == 0
    assert deepest == 12 + 1  # The root, ten chains, the model, and its output.


def test_static_trees_of_long_logs_stay_short() -> None:
    """A log of thousands of runs leaves a few of them in the notebook file, and says so."""
    bundle = run_tree_mimebundle(log_of(many(3_000)))
    assert "… and 2,801 more in the log" in bundle["text/plain"]
    assert "3,001 runs" in bundle["text/html"]
    assert len(bundle["text/html"]) < 150_000


# Where a tree comes from.


async def replay(
    log: LogWriter, *, pause: float = 0.0, then: str = ""
) -> AsyncIterator[RunLogPatch]:
    for patch in log.patches:
        yield patch
        await asyncio.sleep(pause)
    if then == "fail":
        raise RuntimeError("no more")
    if then == "hang":
        await asyncio.Event().wait()


def test_waiting_gives_the_whole_log() -> None:
    """The run goes on in the background; waiting for it gives what it came to."""
    log = story()
    tree = RunLogTree(replay(log))
    asyncio.run(tree.wait())
    assert tree.log == log_of(log)


def test_a_failure_is_raised_to_who_waits_and_ends_the_rows() -> None:
    """A stream that ends without its last patches leaves no run running in the tree."""
    tree = RunLogTree(replay(generated(1, 9, finished=False), then="fail"))
    with pytest.raises(RuntimeError, match="no more"):
        asyncio.run(tree.wait())
    rows = run_rows(tree.log.state, tree.log.root)
    assert [row.status for row in rows].count("running") == 0
    assert rows[0].error is not None
    assert rows[0].error["message"] == "no more"


async def endless_run(
    begun: threading.Event, closing: threading.Event, closed: threading.Event
) -> AsyncIterator[RunLogPatch]:
    """The log of a run that goes on until it is closed, which takes a moment."""
    try:
        async for patch in replay(generated(2, 6, finished=False)):
            yield patch
        begun.set()
        await asyncio.Event().wait()
    finally:
        closing.set()
        await asyncio.sleep(0.05)
        closed.set()


@pytest.mark.parametrize("how", ["stop", "close", "cancel"])
def test_stopping_closes_the_stream(how: str) -> None:
    """Stop, close and a wait that is cancelled each close the stream, and what was running is
    stopped in the tree."""
    begun, closing, closed = threading.Event(), threading.Event(), threading.Event()
    tree = RunLogTree(endless_run(begun, closing, closed))
    assert begun.wait(60)
    if how == "cancel":
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(tree.wait(), 0.01))
    else:
        getattr(tree, how)()
    assert closed.wait(60)
    asyncio.run(tree.wait())
    rows = run_rows(tree.log.state)
    assert rows[0].status == "stopped"
    assert "running" not in [row.status for row in rows]


def test_stopping_twice_closes_the_stream_once() -> None:
    """The second stop does not interrupt the closing, nor the wait for it."""
    begun, closing, closed = threading.Event(), threading.Event(), threading.Event()
    tree = RunLogTree(endless_run(begun, closing, closed))
    assert begun.wait(60)
    tree.stop()
    assert closing.wait(60)
    tree.stop()
    tree.close()
    assert closed.is_set()
    asyncio.run(tree.wait())


def test_an_interrupted_wait_on_the_loop_of_the_run_goes_on() -> None:
    """A function on the package's event loop may wait for a tree that is followed there."""

    async def give_up(_: str) -> str:
        tree = RunLogTree(replay(generated(2, 6, finished=False), then="hang"))
        while not run_rows(tree.log.state):  # noqa: ASYNC110
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tree.wait(), 0.01)
        return run_rows(tree.log.state)[0].status

    assert RunnableLambda(give_up).invoke("x") == "stopped"


def test_a_stream_that_breaks_off_with_any_exception_ends_the_rows() -> None:
    """Also one that is no Exception leaves no run running."""

    class Break(BaseException):
        pass

    async def breaks() -> AsyncIterator[RunLogPatch]:
        async for patch in replay(generated(1, 9, finished=False)):
            yield patch
        raise Break

    tree = RunLogTree(breaks())
    with pytest.raises(Break):
        asyncio.run(tree.wait())
    assert "running" not in [row.status for row in run_rows(tree.log.state, tree.log.root)]


def test_a_patch_that_cannot_be_applied_is_refused() -> None:
    """The log stays as it was, and the wait says what was wrong."""
    good = generated(1, 9, finished=False)

    async def odd() -> AsyncIterator[RunLogPatch]:
        async for patch in replay(good):
            yield patch
        yield RunLogPatch({"op": "add", "path": "/logs/nobody/end_time", "value": "x"})

    tree = RunLogTree(odd())
    with pytest.raises(ValueError, match="nobody"):
        asyncio.run(tree.wait())
    assert tree.log.patches[: len(good.patches)] == good.patches
    assert "running" not in [row.status for row in run_rows(tree.log.state, tree.log.root)]


def test_a_file_and_a_log_show_the_same_tree(tmp_path: Path) -> None:
    """A saved log shows the tree that it had."""
    log = log_of(story())
    log.save(tmp_path / "run.jsonl")
    shown = [repr(RunLogTree(source)) for source in (log, tmp_path / "run.jsonl")]
    shown.append(repr(RunLogTree(str(tmp_path / "run.jsonl"))))
    assert len(set(shown)) == 1
    assert shown[0].startswith("answer_with_sources · chain")


def test_other_sources_are_refused() -> None:
    """Other values raise TypeError at once, and a stream of whole logs when it is read."""
    with pytest.raises(TypeError, match="not 3"):
        RunLogTree(3)  # type: ignore[arg-type]


def test_a_stream_of_logs_is_refused() -> None:
    """`diff=False` gives no patches, and the error says what to do."""

    async def logs() -> AsyncIterator[RunLogPatch]:
        yield log_of(story())  # type: ignore[misc]

    with pytest.raises(TypeError, match="without diff=False"):
        asyncio.run(RunLogTree(logs()).wait())


def wire_of(patches: list[RunLogPatch]) -> RunTreeUpdates:
    wire = RunTreeUpdates()
    for patch in patches:
        wire.push(patch)
    return wire


def all_of(wire: RunTreeUpdates) -> list[dict[str, Any]]:
    """Return all patches that the updates have, page by page."""
    written, first = list[dict[str, Any]](), 0
    while first < len(wire):
        written += wire.page(first)["patches"]
        first = len(written)
    return written


def log_of(log: LogWriter) -> RunLog:
    return RunLog(*log.patches)


def test_the_counts_are_those_of_the_leaf_calls() -> None:
    """A model call around another one does not count twice in the static tree."""
    log = LogWriter("sums")
    outer = log.start("outer", "llm")
    inner = log.start("inner", "llm", outer)
    log.end(inner, "x", usage=tokens(1_000, 10), cost=0.25)
    log.end(outer, "x", usage=tokens(1_000, 10), cost=0.25)
    log.finish("x")
    shown = run_tree_mimebundle(log_of(log))
    assert "1,000 tokens in, 10 out · $0.2500" in shown["text/plain"]
    assert "1,010 tokens · $0.2500" in shown["text/html"]
