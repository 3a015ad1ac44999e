"""States of jobs of batch APIs: what is asked, told, kept on disk and missing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest

from chatnb import BatchJob, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.batch_jobs.job import saved_jobs
from chatnb.chat_models.openai.batches import OpenAIBatches
from chatnb.errors import (
    BadRequestError,
    ConfigurationError,
    MalformedReplyError,
    ModelConnectionError,
    OutputParserError,
)
from tests.support.batch_server import BatchServer, batch_server


class City(TypedDict):
    name: str


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with batch_server() as served:
        yield served


@pytest.fixture
def chat(server: BatchServer) -> ChatOpenAI:
    return ChatOpenAI("gpt-4o-mini", api_key="k", base_url=server.base_url, max_retries=0)


def asked(server: BatchServer, change: Callable[[Any], Any] = lambda found: found) -> list[str]:
    """Return the requests from now on; answers are changed."""
    requests, answer = list[str](), server.answer

    def noted(method: str, path: str, body: bytes) -> Any:
        requests.append(f"{method} {path.removeprefix('/v1')}")
        return change(answer(method, path, body))

    server.answer = noted  # type: ignore[method-assign]
    return requests


def test_a_job_tells_how_far_it_has_come(
    server: BatchServer, chat: ChatOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, of several batches; what has ended is not asked again, and not saved again."""
    monkeypatch.setattr(OpenAIBatches, "max_requests", 2)
    job = chat.submit(["a", "bad", "c"], folder=tmp_path)
    assert repr(job) == f"<BatchJob {job.id}: submitted, 0 of 3 answered>"
    assert repr(job.refresh()) == f"<BatchJob {job.id}: in_progress, 0 of 3 answered>"
    _, second = server.batches
    before = server.batches[second].copy()
    server.finish()
    finished, server.batches[second] = server.batches[second], before
    assert repr(job.refresh()) == (
        f"<BatchJob {job.id}: completed and in_progress, 1 of 3 answered, 1 failed>"
    )
    assert (job.ended, sorted(job.results())) == (False, [0, 1])
    requests = asked(server)
    saved = (tmp_path / f"{job.id}.json").stat().st_mtime_ns
    job.refresh()
    assert requests == [f"GET /batches/{second}"]
    assert (tmp_path / f"{job.id}.json").stat().st_mtime_ns == saved
    requests.clear()
    job.cancel()
    assert requests == [f"POST /batches/{second}/cancel", f"GET /batches/{second}"]
    server.batches[second] = finished
    requests.clear()
    assert repr(BatchJob.load(job.id, chat=chat, folder=tmp_path).cancel()) == repr(job)
    assert requests == []


def test_a_wait_asks_until_the_job_has_ended(server: BatchServer, chat: ChatOpenAI) -> None:
    """As often as it takes; one that is too short says how far the job has come."""
    job = chat.submit(["a"])
    requests = asked(server)
    with pytest.raises(TimeoutError, match=r"not ended: <BatchJob .*: in_progress, 0 of 1 answ"):
        job.wait(1000, poll=1001)
    assert len(requests) == 1
    server.at_request(3, server.finish, done=False)
    assert job.wait(1000, poll=0.001).ended
    assert len(requests) == 4
    assert job.wait(0) is job
    assert len(requests) == 4


def test_a_prompt_without_a_reply_is_an_error(server: BatchServer, chat: ChatOpenAI) -> None:
    """A reply that cannot be read is one, too; both say what happened to their prompt."""
    job = chat.submit(["a", "b", "c"])
    server.finish()

    def without_the_first(found: Any) -> Any:
        if not isinstance(found, str) or "custom_id" not in found:
            return found
        _, second, third = found.split("\n")
        line = json.loads(second)
        line["response"]["body"] = {"choices": 3}
        return "\n".join([third, json.dumps(line)])

    asked(server, without_the_first)
    assert list(job.results()) == [1, 2]
    result = job.result(poll=0)
    assert [[each.text for each in some] for some in result.generations] == [[], [], ["reply to c"]]
    assert str(result.errors[0]) == (
        "The job ended before this prompt had a reply. Submit it again."
    )
    assert isinstance(result.errors[1], MalformedReplyError)
    assert result.calls is not None
    assert [(call.prompt, call.error) for call in result.calls] == [
        ("a", "ChatnbError"),
        ("b", "MalformedReplyError"),
        ("c", None),
    ]


def test_replies_that_are_not_of_the_type_are_its_errors(
    server: BatchServer, chat: ChatOpenAI
) -> None:
    """Beside the values, and the errors of the prompts."""
    job = chat.submit(["a", "bad", "c"], schema=City)
    server.finish()
    asked(server, lambda found: found.replace("Oslo", "x", 1) if isinstance(found, str) else found)
    lines = server.files[f"out-{next(iter(server.batches))}"].split("\n")
    broken = lines[2].replace(r"{\"name\": \"Oslo\"}", "Sorry.")
    server.files[f"out-{next(iter(server.batches))}"] = "\n".join([*lines[:2], broken])
    values = job.wait(poll=0).parsed(City)
    assert values[0] == {"name": "x"}
    assert isinstance(values[1], BadRequestError)
    assert isinstance(values[2], OutputParserError)


def test_a_job_is_kept_in_files(server: BatchServer, chat: ChatOpenAI, tmp_path: Path) -> None:
    """Its record, its prompts in short, and its requests until they are submitted."""
    before = time.time()
    folder = tmp_path / "deep" / "jobs"
    job = chat.submit(["a", "b"], folder=str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [f"{job.id}.json", f"{job.id}.prompts"]
    assert json.loads((folder / f"{job.id}.prompts").read_text()) == ["a", "b"]
    [record] = saved_jobs(folder)
    assert before <= record.pop("created") <= time.time()
    state = {"status": "submitted", "completed": 0, "failed": 0, "ended": False}
    [id] = server.batches
    part = {"first": 0, "count": 2, "remote_id": id, "state": state}
    assert record == {
        "id": job.id,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "base_url": server.base_url,
        "parts": [part],
    }
    other = chat.submit(["c"], folder=folder)
    assert [each["id"] for each in saved_jobs(folder)] == [job.id, other.id]
    with pytest.raises(ConfigurationError, match=f"There are: {job.id}, {other.id}."):
        BatchJob.load("none", folder=folder)
    with pytest.raises(ConfigurationError, match=r"no batch job '../x'. There are: none."):
        BatchJob.load("../x", folder=tmp_path)


def test_a_job_that_was_not_submitted_can_be_asked(
    server: BatchServer, chat: ChatOpenAI, tmp_path: Path
) -> None:
    """Nothing is asked of the provider, which does not have it; its requests are on disk."""
    server.lose = ("POST /v1/files", False)
    with pytest.raises(ModelConnectionError) as raised:
        chat.submit(["a", "b"], folder=tmp_path)
    [path] = tmp_path.glob("*.jsonl")
    assert raised.value.__notes__[-1] == (
        f"The job is on disk: BatchJob.load('{path.stem}').resume() submits it."
    )
    requests = asked(server)
    job = BatchJob.load(path.stem, chat=chat, folder=tmp_path)
    assert (job.results(), job.refresh().ended, job.cancel().status) == ({}, False, "not submitted")
    assert requests == []
    path.write_text(path.read_text() + "more\n")
    with pytest.raises(ConfigurationError) as refused:
        job.resume()
    assert str(refused.value) == (
        f"The rest of batch job {job.id} cannot be submitted: {path}: ValueError: it has 3 "
        "requests of 2. Submit its prompts as a new job."
    )


@pytest.mark.parametrize(("room", "sizes"), [(0, [2, 1]), (-1, [1, 1, 1])])
def test_batches_are_as_large_as_may_be(
    chat: ChatOpenAI,
    server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
    sizes: list[int],
) -> None:
    """A batch of just the limit's bytes, with those of line ends, is taken."""
    chat.submit(["a"], folder=tmp_path)
    [[line]] = server.lines.values()
    monkeypatch.setattr(OpenAIBatches, "max_bytes", 2 * len(json.dumps(line)) + 2 + room)
    server.lines.clear()
    server.batches.clear()
    chat.submit(["a", "b", "c"], folder=tmp_path)
    assert [len(lines) for lines in server.lines.values()] == sizes


def cut_off(chat: Any, server: BatchServer, step: str, folder: Path) -> BatchJob:
    """Return a job of two prompts whose submission was cut off before its batch was made."""
    server.lose = (step, False)
    with pytest.raises(ModelConnectionError):
        chat.submit(["a", "b"], folder=folder)
    newest = max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return BatchJob.load(newest.stem, chat=chat, folder=folder)


@pytest.mark.parametrize(
    ("age", "note", "is_taken"),
    [(0, None, True), (10_000, None, True), (0, "other", False), (10_000, "other", False)],
)
def test_a_batch_of_openai_is_known_by_its_note(
    server: BatchServer,
    chat: ChatOpenAI,
    tmp_path: Path,
    age: int,
    note: str | None,
    is_taken: bool,
) -> None:
    """Another one is not taken over, however many there are."""
    job = cut_off(chat, server, "POST /v1/batches", tmp_path)
    found = {
        "id": "batch_x",
        "object": "batch",
        "status": "in_progress",
        "created_at": int(time.time()) - age,
        "metadata": {"chatnb": note or f"{job.id}-0"},
        "request_counts": {"total": 2, "completed": 0, "failed": 0},
    }
    server.batches["batch_x"], server.lines["batch_x"] = found, []
    job.resume()
    assert (len(server.batches) == 1) is is_taken


@pytest.mark.parametrize(
    ("change", "is_taken"),
    [
        ({}, True),
        ({"created_at": "2001-01-01T00:00:00Z"}, False),
        ({"count": 1}, False),
        ({"count": 3}, False),
        ({"processing_status": "ended", "first": "JOB-0"}, True),
        ({"processing_status": "ended", "first": "other-0"}, False),
    ],
)
def test_a_batch_of_anthropic_is_known_by_its_size_and_its_first_result(
    server: BatchServer, tmp_path: Path, change: dict[str, Any], is_taken: bool
) -> None:
    """If it was made since; it has no note."""
    chat = ChatAnthropic("claude-haiku-4-5", api_key="k", base_url=server.base_url, max_retries=0)
    job = cut_off(chat, server, "POST /v1/messages/batches", tmp_path)
    counts = {"succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    found = {
        "id": "msgbatch_x",
        "type": "message_batch",
        "processing_status": "in_progress",
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "request_counts": {**counts, "processing": change.get("count", 2)},
        **{name: change[name] for name in ("created_at", "processing_status") if name in change},
    }
    first = change.get("first", "").replace("JOB", job.id)
    lines = [{"custom_id": first, "params": {"messages": [{"content": "a"}]}}] if first else []
    server.batches["msgbatch_x"], server.lines["msgbatch_x"] = found, lines
    job.resume()
    assert (len(server.batches) == 1) is is_taken
