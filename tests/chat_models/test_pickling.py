"""Pickles of models, tools, loops, trackers and conversations for other processes."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from chatnb import ChatPanel, Conversation, RunLog, RunLogTree, UsageTable
from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache, SQLiteCache
from chatnb.chat_models.local import ChatLocal
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.schema import AIMessage, HumanMessage
from chatnb.store import Store
from chatnb.tools import Tool, ToolLoop, tool
from chatnb.tracing import JSONLHandler, OpenTelemetryHandler
from chatnb.tracing.usage_tracking import UsageTracker
from tests.support.run_logs import story


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def subtract(a: int, b: int) -> int:
    """Subtract."""
    return a - b


CALL: Any = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c"}


def a_moment() -> datetime:
    return datetime(2001, 2, 3, tzinfo=UTC)


def there_and_back(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def test_models_keep_their_caches_and_limits(tmp_path: Path) -> None:
    """A copy replies, and has a cache and a limiter of its own."""
    for cache in (InMemoryCache(), SQLiteCache(tmp_path / "replies.db")):
        chat = ScriptedChatModel(["a"], cache=cache, rate_limiter=RateLimiter(1000))
        assert there_and_back(chat).invoke("Hi").text == "a"


def test_tools_and_loops() -> None:
    """A decorated function is found by its name, any other is made again."""
    assert there_and_back(add) is add
    renamed = there_and_back(Tool(subtract, name="minus", description="Take away."))
    assert (renamed.name, renamed.description) == ("minus", "Take away.")
    assert renamed.invoke({"a": 3, "b": 1}) == 2
    loop = ToolLoop(ScriptedChatModel([AIMessage("", tool_calls=[CALL]), "3"]), [add, subtract])
    assert there_and_back(loop).invoke("1 + 2?").text == "3"
    checked = there_and_back(ScriptedChatModel(["a"]).bind_tools([add, subtract]))
    assert checked.invoke("Hi").text == "a"
    changed = copy.copy(add)
    changed.name = "plus"
    assert add.name == "add"


def test_trackers_and_conversations(tmp_path: Path) -> None:
    """A conversation is opened again, from the same file."""
    assert there_and_back(UsageTracker()).calls == []
    conversation = Conversation("a", store=Store(tmp_path / "a.db"))
    conversation.add(HumanMessage("Hi"))
    assert [message.text for message in there_and_back(conversation).messages] == ["Hi"]


def test_what_belongs_to_one_process_is_refused_by_name(tmp_path: Path) -> None:
    """The error says what to do; copies are not pickles."""
    import httpx2

    with httpx2.Client() as client:
        chat = ChatOpenAI("m", api_key="k", http_client=client)
        assert copy.copy(chat).http_client is client
        refused: list[tuple[Any, str]] = [
            (chat, "http_client of ChatOpenAI"),
            (Store(":memory:"), "store in memory"),
            (Conversation("a", store=Store(":memory:")), "store in memory"),
            (OpenTelemetryHandler(TracerProvider()), "tracer_provider of OpenTelemetryHandler"),
            (ChatPanel(chat), "ChatPanel is shown by this kernel"),
            (UsageTable(UsageTracker()), "UsageTable is shown by this kernel"),
            (RunLogTree(RunLog(*story().patches)), "RunLogTree is shown by this kernel"),
        ]
        for thing, problem in refused:
            with pytest.raises(TypeError, match=problem):
                pickle.dumps(thing)


def test_handlers_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a file writes to the same file, also from another folder, and with its clock."""
    monkeypatch.chdir(tmp_path)
    with JSONLHandler("runs.jsonl") as handler, JSONLHandler("timed.jsonl", now=a_moment) as timed:
        pickled = pickle.dumps([handler, timed])
        monkeypatch.chdir("/")
        copied, copied_timed = pickle.loads(pickled)
        with copied, copied_timed:
            for handlers in ([copied, copied_timed], [handler]):
                list(ScriptedChatModel(["a"]).stream("Hi", {"callbacks": handlers}))
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["start", "token", "end"] * 2
    _, token, *_ = (tmp_path / "timed.jsonl").read_text().splitlines()
    assert json.loads(token)["time"].startswith("2001-02-03")
    tracing = there_and_back(OpenTelemetryHandler(content=True))
    assert tracing.content
    assert ScriptedChatModel(["a"]).invoke("Hi", {"callbacks": [tracing]}).text == "a"


@pytest.mark.process
def test_an_embedded_model_has_the_key_of_its_process(tmp_path: Path) -> None:
    """It is that of the server that the process starts."""
    weights = tmp_path / "model.gguf"
    weights.write_bytes(b"GGUF")
    pickled = pickle.dumps(ChatLocal(model_path=weights))
    program = (
        "import pickle, sys\n"
        "from chatnb.chat_models import ChatLocal\n"
        "chat = pickle.loads(sys.stdin.buffer.read())\n"
        "assert chat.openai_api_key == ChatLocal(model_path=chat.model_path).openai_api_key"
    )
    subprocess.run([sys.executable, "-c", program], input=pickled, check=True)
