"""Jobs of the providers' batch APIs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

import pytest

from chatnb import BatchJob, ChatAnthropic, ChatOpenAI, HumanMessage, SystemMessage, tool
from chatnb.chat_models import init_chat_model
from chatnb.chat_models.batch_jobs.job import saved_jobs
from chatnb.errors import (
    BadRequestError,
    ChatnbError,
    ConfigurationError,
    MalformedReplyError,
    ModelConnectionError,
    ModelTimeoutError,
)
from tests.support.batch_server import BatchServer, batch_server
from tests.support.responses_events import SAID, response

Make = Callable[[str], Any]


def openai(base_url: str) -> ChatOpenAI:
    return ChatOpenAI("gpt-4o-mini", api_key="k", base_url=base_url, max_retries=0)


def anthropic(base_url: str) -> ChatAnthropic:
    return ChatAnthropic("claude-haiku-4-5", api_key="k", base_url=base_url, max_retries=0)


each_provider = pytest.mark.parametrize("make", [openai, anthropic])


@pytest.fixture(autouse=True)
def jobs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the files of jobs beside a store of this test."""
    monkeypatch.setenv("CHATNB_STORE", str(tmp_path / "conversations.db"))
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")


@pytest.fixture
def server() -> Iterator[BatchServer]:
    """The batch APIs, on loopback."""
    with batch_server() as served:
        yield served


@each_provider
def test_a_job_has_the_result_of_generate_at_half_price(make: Make, server: BatchServer) -> None:
    """Its replies are in order, a failed prompt has its error, and calls cost half."""
    chat = make(server.base_url)
    job = chat.submit(["a", [SystemMessage("Be brief."), HumanMessage("b")], "bad"])
    assert (job.refresh().ended, job.total, job.completed) == (False, 3, 0)
    assert job.results() == {}
    with pytest.raises(TimeoutError, match="has not ended"):
        job.wait(0)
    server.finish()
    result = job.result(poll=0)
    assert [[c.text for c in some] for some in result.generations] == [
        ["reply to a"],
        ["reply to b"],
        [],
    ]
    assert isinstance(result.errors[2], BadRequestError)
    assert result.calls is not None
    single = result.calls[0]
    usual = single.__class__(single.model, single.provider, usage=single.usage).cost
    assert single.cost == pytest.approx(usual / 2)
    assert result.calls[2].error == "BadRequestError"
    assert (job.completed, job.failed) == (2, 1)
    [lines] = server.lines.values()
    assert "stream" not in (lines[0].get("body") or lines[0]["params"])


@each_provider
def test_a_password_in_an_address_is_not_on_disk(
    make: Make, server: BatchServer, tmp_path: Path
) -> None:
    """The job is loaded with its model, which knows the password, and says so without it."""
    chat = make(server.base_url.replace("://", "://ada:hunter2@"))
    job = chat.submit(["a"])
    server.finish()
    assert not any(b"hunter2" in file.read_bytes() for file in tmp_path.rglob("*.json*"))
    with pytest.raises(ConfigurationError, match=r"password .*://\*\*\*@.*chat=\.\.\."):
        BatchJob.load(job.id)
    loaded = BatchJob.load(job.id, chat=chat)
    assert loaded.result(poll=0).generations[0][0].text == "reply to a"


@each_provider
def test_a_job_is_found_after_a_restart(make: Make, server: BatchServer) -> None:
    """Its file has all but the key, and an unknown id names those that there are."""
    id = make(server.base_url).submit(["a"]).id
    server.finish()
    job = BatchJob.load(id)
    assert job.result(poll=0).generations[0][0].text == "reply to a"
    with pytest.raises(ConfigurationError, match=f"no batch job 'x'.*{id}"):
        BatchJob.load("x")


@each_provider
def test_the_file_that_changes_has_no_prompts(make: Make, server: BatchServer) -> None:
    """It is written again whenever the state changes, for jobs of a million prompts, too."""
    job = make(server.base_url).submit([f"a long prompt {n}" for n in range(50)])
    [record] = Path(os.environ["CHATNB_STORE"]).parent.glob(f"batch_jobs/{job.id}.json")
    before = record.read_text()
    server.finish()
    calls = job.result(poll=0).calls
    assert record.read_text() != before
    assert len(record.read_text()) < 1_000
    assert calls is not None
    assert [call.prompt for call in calls][::49] == ["a long prompt 0", "a long prompt 49"]


CREATE = {openai: "POST /v1/batches", anthropic: "POST /v1/messages/batches"}
STEPS = [
    *((openai, "POST /v1/files", done) for done in (False, True)),
    *((make, CREATE[make], done) for make in CREATE for done in (False, True)),
]


@pytest.mark.parametrize(("make", "step", "done"), STEPS)
def test_a_submission_that_is_cut_off_is_resumed(
    make: Make, step: str, done: bool, server: BatchServer
) -> None:
    """One batch is there in the end, and paid once, also if the provider never got the first."""
    server.lose = (step, done)
    with pytest.raises(ModelConnectionError) as raised:
        make(server.base_url).submit(["a", "b"])
    [note] = raised.value.__notes__
    job = BatchJob.load(note.split("'")[1]).resume().resume()
    assert len(server.batches) == 1
    server.finish()
    assert [some[0].text for some in job.result(poll=0).generations] == ["reply to a", "reply to b"]


@pytest.mark.parametrize("make", [openai, anthropic])
def test_jobs_of_one_size_are_told_apart(make: Make, server: BatchServer) -> None:
    """A job that is submitted, or resumed, while another of its size runs takes none of its."""
    chat = make(server.base_url)
    first = chat.submit(["a", "b"])
    server.lose = (CREATE[make], False)
    with pytest.raises(ModelConnectionError) as raised:
        chat.submit(["c", "d"])
    third = chat.submit(["e", "f"])
    [note] = raised.value.__notes__
    second = BatchJob.load(note.split("'")[1]).resume()
    assert len(server.batches) == 3
    server.finish()
    for job, prompts in ((first, "ab"), (second, "cd"), (third, "ef")):
        texts = [some[0].text for some in job.result(poll=0).generations]
        assert texts == [f"reply to {prompt}" for prompt in prompts]


@pytest.mark.parametrize("make", [openai, anthropic])
def test_questions_that_are_cut_off_are_asked_again(make: Make, server: BatchServer) -> None:
    """Neither the state nor the results are lost with a connection."""
    job = make(server.base_url).submit(["a"])
    server.finish()
    path = "batches" if make is openai else "messages/batches"
    ways: list[tuple[str, Any]] = [
        (f"GET /v1/{path}/{next(iter(server.batches))}", job.refresh),
        (f"GET /v1/{path}/{next(iter(server.batches))}", job.results),
    ]
    for step, ask in ways:
        server.lose = (step, True)
        with pytest.raises(ModelConnectionError):
            ask()
    assert BatchJob.load(job.id).result(poll=0).generations[0][0].text == "reply to a"


@each_provider
def test_what_expired_or_was_cancelled_is_an_error_of_its_prompt(
    make: Make, server: BatchServer
) -> None:
    """The replies that came are kept."""
    job = make(server.base_url).submit(["a", "b"])
    server.finish("expired", answered=1)
    result = job.result(poll=0)
    assert result.generations[0][0].text == "reply to a"
    assert isinstance(result.errors[1], ModelTimeoutError)
    other = make(server.base_url).submit(["c"])
    assert other.cancel().ended
    assert list(other.result(poll=0).errors) == [0]


class City(TypedDict):
    name: str


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def test_tools_types_and_parameters_are_in_the_requests(server: BatchServer) -> None:
    """As those of single calls."""
    chat = openai(server.base_url)
    job = chat.submit(["Which?"], schema=City, temperature=0.5)
    chat.submit(["1 + 1?"], tools=[add], stop=["."])
    first, second = (lines[0]["body"] for lines in server.lines.values())
    assert first["response_format"]["type"] == "json_schema"
    assert first["temperature"] == 0.5
    assert second["tools"][0]["function"]["name"] == "add"
    assert second["stop"] == ["."]
    server.finish()
    assert job.wait(poll=0).parsed(City) == {0: {"name": "Oslo"}}


def test_replies_are_read_of_the_api_that_gave_them(server: BatchServer) -> None:
    """A job whose tools need the Responses API is loaded with a model of the usual one."""
    whole = json.dumps(response(SAID)).encode()
    assert openai(server.base_url).replies_from_json(whole)[0].text == "Let me see."


def test_large_jobs_are_several_batches(
    server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the provider's limits of requests and of bytes."""
    from chatnb.chat_models.openai.batches import OpenAIBatches

    monkeypatch.setattr(OpenAIBatches, "max_requests", 2)
    monkeypatch.setattr(OpenAIBatches, "max_bytes", 1_000)
    job = openai(server.base_url).submit(["a", "b", "c", "d" * 900, "e"])
    assert [len(lines) for lines in server.lines.values()] == [2, 1, 1, 1]
    server.finish()
    assert len(job.result(poll=0).generations) == 5
    assert not job.result(poll=0).errors


def test_what_cannot_be_submitted_is_refused(
    server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do instead."""
    for prompts in ("text", []):
        with pytest.raises(TypeError, match="takes a list of prompts"):
            openai(server.base_url).submit(prompts)  # pyright: ignore[reportArgumentType]
    groq: Any = init_chat_model("groq:m", api_key="k")
    with pytest.raises(ConfigurationError, match="no batch API"):
        groq.submit(["a"])
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    with pytest.raises(ConfigurationError, match=r"give submit and BatchJob.load the folder="):
        openai(server.base_url).submit(["a"])
    assert not server.batches


def files_of(job: BatchJob) -> Path:
    """Return the folder of a job's files, which are named by its id."""
    return Path(os.environ["CHATNB_STORE"]).parent / "batch_jobs"


@each_provider
@pytest.mark.parametrize("text", [None, "", '["a", ', "{}", '["a"]', "[" * 9_999, "\xff"])
def test_replies_of_a_job_whose_prompts_are_lost_can_be_read(
    make: Make, server: BatchServer, text: str | None
) -> None:
    """They have been paid for: without the file, or with a damaged one, calls have no prompts."""
    job = make(server.base_url).submit(["a", "b"])
    prompts = files_of(job) / f"{job.id}.prompts"
    prompts.unlink()
    if text is not None:
        prompts.write_bytes(text.encode("latin-1"))
    server.finish()
    with pytest.warns(UserWarning, match=f"batch job {job.id} have no prompts"):
        result = BatchJob.load(job.id).result(poll=0)
    assert [some[0].text for some in result.generations] == ["reply to a", "reply to b"]
    assert result.calls is not None
    assert [(call.prompt, call.cost is None) for call in result.calls] == [("", False)] * 2


DAMAGED = [
    "",
    '{"id": "x", "created": 1',
    "[]",
    "{}",
    '{"id": "x", "created": "now", "provider": "p", "model": "m", "base_url": null, "parts": []}',
    '{"id": "x", "created": 1, "provider": "p", "model": "m", "base_url": null, "parts": [{}]}',
    '{"id": "x", "created": 1, "provider": "p", "model": "m", "base_url": null, "parts": [[]]}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_job_is_an_error_of_it_alone(server: BatchServer, text: str) -> None:
    """The error names its file; all other jobs are listed, and can be read."""
    job = openai(server.base_url).submit(["a"])
    (files_of(job) / "damaged.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"'damaged' is damaged: .*damaged\.json"):
        BatchJob.load("damaged")
    with pytest.warns(UserWarning, match="'damaged' is damaged"):
        assert [record["id"] for record in saved_jobs()] == [job.id]


@pytest.mark.parametrize("keep", [None, 0, 1])
def test_a_job_whose_requests_are_lost_is_not_submitted_in_part(
    server: BatchServer, keep: int | None
) -> None:
    """Prompts left out of a batch would never have replies."""
    server.lose = ("POST /v1/files", False)
    with pytest.raises(ModelConnectionError) as raised:
        openai(server.base_url).submit(["a", "b"])
    [path] = Path(os.environ["CHATNB_STORE"]).parent.glob("batch_jobs/*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    if keep is not None:
        path.write_text("".join(lines[:keep]))
    assert path.stem in "".join(raised.value.__notes__)
    with pytest.raises(ConfigurationError, match="as a new job"):
        BatchJob.load(path.stem).resume()
    assert not server.batches


def answering(server: BatchServer, change: Callable[[str, Any], Any]) -> None:
    """Change the server's answers, by their paths."""
    answer = server.answer
    server.answer = lambda method, path, body: change(path, answer(method, path, body))  # type: ignore[method-assign]


RESULTS = ("/content", "/results")
BROKEN_RESULTS = [
    "x",
    "[]",
    "{}",
    '{"custom_id": null}',
    '{"custom_id": "JOB-x", "response": {"status_code": 200, "body": {}}}',
    '{"custom_id": "JOB-0", "response": 7, "result": 7}',
    '{"custom_id": "JOB-0", "response": {"status_code": "x"}, "result": {"type": []}}',
    '{"custom_id": "JOB-0", "response": null, "error": 7, "result": {"type": "succeeded"}}',
    '{"custom_id": "JOB-%s"}' % ("9" * 5_000),
    "[" * 5_000,
]


@each_provider
@pytest.mark.parametrize("line", BROKEN_RESULTS)
def test_a_broken_result_is_the_error_of_its_prompt(
    make: Make, server: BatchServer, line: str
) -> None:
    """All other replies, which have been paid for, are there."""
    job = make(server.base_url).submit(["a", "b"])
    server.finish()

    def broken(path: str, found: Any) -> Any:
        if not path.endswith(RESULTS) or not found:
            return found
        return "\n".join([line.replace("JOB", job.id), found.split("\n")[1]])

    answering(server, broken)
    result = job.result(poll=0)
    assert [[c.text for c in some] for some in result.generations] == [[], ["reply to b"]]
    assert isinstance(result.errors[0], ChatnbError)


@each_provider
def test_results_may_hold_any_character(make: Make, server: BatchServer) -> None:
    """Line ends of Unicode within a reply are no line ends of the file."""
    job = make(server.base_url).submit(["a", "b"])
    server.finish()
    marks = "\u2028\u0085\u2029"

    def with_marks(path: str, found: Any) -> Any:
        return found.replace("reply to", marks) if path.endswith(RESULTS) else found

    answering(server, with_marks)
    texts = [some[0].text for some in job.result(poll=0).generations]
    assert texts == [f"{marks} a", f"{marks} b"]


SHAPES: list[Any] = [
    None,
    [],
    "x",
    '{"id',
    {"id": 7},
    {"data": [None]},
    {"id": "b", "status": None},
]


@each_provider
@pytest.mark.parametrize("method", ["submit", "resume", "refresh", "cancel", "results"])
def test_an_answer_of_another_shape_is_an_error_of_ours(
    make: Make, server: BatchServer, method: str
) -> None:
    """Every method of a job raises it, and the job can be asked again."""
    chat = make(server.base_url)
    job = chat.submit(["a"])
    server.finish()
    whole = server.answer
    for shape in SHAPES:
        server.answer = lambda *_, shape=shape: shape  # type: ignore[misc]
        with suppress(MalformedReplyError):  # Some answers are enough for some questions.
            chat.submit(["b"]) if method == "submit" else getattr(job, method)()
    server.answer = whole  # type: ignore[method-assign]
    assert job.result(poll=0).generations[0][0].text == "reply to a"


def test_a_job_has_the_name_of_its_file(server: BatchServer) -> None:
    """Another name would be that of files elsewhere, which it would write and remove."""
    job = openai(server.base_url).submit(["a"])
    path = files_of(job) / f"{job.id}.json"
    record = json.loads(path.read_text())
    for name in ("../other", f"{path.parent}/other", "", "other"):
        path.write_text(json.dumps({**record, "id": name}))
        with pytest.raises(ConfigurationError, match=f"'{job.id}' is damaged"):
            BatchJob.load(job.id)


@pytest.mark.parametrize(
    "change",
    [
        *({"first": "0"}, {"count": None}, {"remote_id": 7}, {"state": {"status": 7}}),
        *({"first": 1}, {"first": -1}, {"count": 0}, {"count": 10**12}),
    ],
)
def test_a_part_of_another_shape_is_a_damaged_file(
    server: BatchServer, change: dict[str, Any]
) -> None:
    """It is told when the job is loaded, and not when it is asked."""
    job = openai(server.base_url).submit(["a"])
    path = files_of(job) / f"{job.id}.json"
    record = json.loads(path.read_text())
    record["parts"][0].update(change)
    path.write_text(json.dumps(record))
    with pytest.raises(ConfigurationError, match="damaged"):
        BatchJob.load(job.id)
