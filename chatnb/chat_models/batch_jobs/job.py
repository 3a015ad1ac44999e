"""Jobs of the providers' batch APIs: prompts that are answered within a day, at half price."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from chatnb.chat_models.batch_jobs import PRICE
from chatnb.chat_models.batch_jobs.protocol import (
    NOT_SUBMITTED,
    BatchApi,
    PartState,
    SubmittingModel,
    check_type,
)
from chatnb.chat_models.generate import call_from_outcome, result_of_outcomes
from chatnb.concurrency.cancellation import pause
from chatnb.errors import ChatnbError, ConfigurationError, ModelError, error_line
from chatnb.files import PRIVATE, replace_text
from chatnb.redaction import REDACTED, redact
from chatnb.schema.conversion import ChatInput, to_messages
from chatnb.schema.messages import AIMessage
from chatnb.schema.model_call import ModelCall, prompt_line
from chatnb.schema.results import LLMResult
from chatnb.store.store import MEMORY, store_path
from chatnb.strict_json import parse_json, parse_object
from chatnb.terminal import SafeText, warn
from chatnb.tools.openai_schema import ToolLike, tools_for_model

if TYPE_CHECKING:
    from chatnb.structured_output.runnable import StructuredOutput

_POLL_SECONDS = 30.0
_MAX_REQUESTS = 1_000_000
_RECORD = {
    "id": str,
    "created": int | float,
    "provider": str,
    "model": str,
    "base_url": str | None,
    "parts": list,
}
_PROMPTS = ".prompts"  # The file of a job's prompts, apart from its state, which is written often.


@dataclass
class _Part:
    first: int
    count: int
    remote_id: str | None = None
    state: PartState = field(default_factory=PartState)


class BatchJob:
    """A job of a provider's batch API; `chat.submit(prompts)` makes one.

    Its state, `record`, is a file of `folder`, by default the user's data folder, so that it
    outlives this process; `chat` is the model that asks the provider for it.

    Example:
        >>> BatchJob.load("job-1", folder="no-such-folder")
        Traceback (most recent call last):
        chatnb.errors.ConfigurationError: There is no batch job 'job-1'. There are: none.
    """

    def __init__(self, record: Mapping[str, Any], folder: Path, chat: SubmittingModel) -> None:
        self.id: str = record["id"]
        self.created: float = record["created"]
        self._record = record
        self._parts = [_part(part) for part in record["parts"]]
        self._folder = folder
        self._chat = chat
        self._api = chat.batch_api()

    @classmethod
    def load(
        cls, id: str, *, chat: SubmittingModel | None = None, folder: str | Path | None = None
    ) -> BatchJob:
        """Return a job that this or another process has submitted.

        Args:
            id: The job's id.
            chat: The chat model; by default one of the same provider, name and address, whose key
                is in the environment.
            folder: The folder of the jobs' files, if it is not that of `submit`.

        Raises:
            ConfigurationError: If there is no such job, its file is damaged, or the model has a
                password in its address and is not given.
        """
        path = _folder(folder) / f"{Path(id).name}.json"
        if not path.is_file():
            known = ", ".join(job["id"] for job in saved_jobs(folder)) or "none"
            raise ConfigurationError(f"There is no batch job {id!r}. There are: {known}.")
        record = _read_record(path)
        if chat is None:
            from chatnb.chat_models.registry import init_chat_model

            base = {"base_url": record["base_url"]} if record["base_url"] else {}
            if REDACTED in base.get("base_url", ""):
                raise ConfigurationError(
                    f"The password of the address {base['base_url']} is not on disk. Give the "
                    f"model: BatchJob.load({id!r}, chat=...)"
                )
            chat = cast("Any", init_chat_model(f"{record['provider']}:{record['model']}", **base))
        return cls(record, path.parent, cast("SubmittingModel", chat))

    def __repr__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        answered = f"{self.completed:,} of {self.total:,} answered"
        return SafeText(f"<BatchJob {self.id}: {self.status}, {answered}{failed}>")

    @property
    def total(self) -> int:
        """The number of prompts."""
        return sum(part.count for part in self._parts)

    @property
    def completed(self) -> int:
        """The number of prompts with a reply, when the provider was last asked."""
        return sum(part.state.completed for part in self._parts)

    @property
    def failed(self) -> int:
        """The number of prompts without a reply, when the provider was last asked."""
        return sum(part.state.failed for part in self._parts)

    @property
    def status(self) -> str:
        """The provider's status of the job, when the provider was last asked."""
        return " and ".join(dict.fromkeys(part.state.status for part in self._parts))

    @property
    def ended(self) -> bool:
        """True if all results were there, when the provider was last asked."""
        return all(part.state.ended for part in self._parts)

    def resume(self) -> BatchJob:
        """Submit what was not submitted, after a crash or a lost connection, and return the job.

        A batch that the provider has, though its id was not received, is taken over.
        """
        # Batches are submitted one after the other: only the first without an id was tried.
        waiting = next((part for part in self._parts if part.remote_id is None), None)
        if waiting is not None:
            note, taken = self._note(self._parts.index(waiting)), _known_batches(self._folder)
            waiting.remote_id = self._api.find(note, waiting.count, self.created, taken)
        return self._submit()

    def _submit(self) -> BatchJob:
        waiting = any(part.remote_id is None for part in self._parts)
        requests = self._requests() if waiting else []
        for number, part in enumerate(self._parts):
            if part.remote_id is None:
                lines = requests[part.first : part.first + part.count]
                part.remote_id = self._api.create(lines, self._note(number))
            if part.state.status == NOT_SUBMITTED:
                part.state.status = "submitted"
                self._save()
        self._requests_path.unlink(missing_ok=True)
        return self

    def _note(self, number: int) -> str:
        return f"{self.id}-{number}"

    def refresh(self) -> BatchJob:
        """Ask the provider how far the job has come, and return the job."""
        before = [part.state for part in self._parts]
        for part in self._parts:
            if part.remote_id is not None and not part.state.ended:
                part.state = self._api.state(part.remote_id)
        if before != [part.state for part in self._parts]:
            self._save()
        return self

    def wait(self, timeout: float | None = None, *, poll: float = _POLL_SECONDS) -> BatchJob:
        """Wait until the job has ended, and return it; an interrupt ends only the wait.

        Args:
            timeout: The most seconds to wait.
            poll: Seconds between two questions to the provider.

        Raises:
            TimeoutError: If it has not ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.refresh().ended:
            if deadline is not None and time.monotonic() + poll > deadline:
                raise TimeoutError(f"The job has not ended: {self!r}")
            pause(poll)
        return self

    def cancel(self) -> BatchJob:
        """Have the provider make no more calls, and return the job.

        Replies so far can be read, and are charged.
        """
        for part in self._parts:
            if part.remote_id is not None and not part.state.ended:
                self._api.cancel(part.remote_id)
        return self.refresh()

    def results(self) -> dict[int, list[AIMessage] | Exception]:
        """Return the results that are there, by the index of the prompt."""
        found = dict[int, list[AIMessage] | Exception]()
        indices = {f"{self.id}-{index}": index for index in range(self.total)}
        for part in self._parts:
            if part.remote_id is None:
                continue
            for custom_id, outcome in self._api.results(part.remote_id):
                index = indices.get(custom_id)
                if index is not None:
                    found[index] = self._replies(outcome)
        return dict(sorted(found.items()))

    def result(self, timeout: float | None = None, *, poll: float = _POLL_SECONDS) -> LLMResult:
        """Wait for the job, and return its result, as `generate(..., return_exceptions=True)` does.

        Its calls have the batch API's price.

        Args:
            timeout: As for `wait`.
            poll: As for `wait`.

        Raises:
            TimeoutError: If the job has not ended by then.
        """
        found = self.wait(timeout, poll=poll).results()
        missing = ChatnbError("The job ended before this prompt had a reply. Submit it again.")
        outcomes = [found.get(index, missing) for index in range(self.total)]
        rows = zip(self._prompts(), outcomes, strict=True)
        calls = [self._call(prompt, outcome) for prompt, outcome in rows]
        return result_of_outcomes(outcomes, calls, self._chat.model_name)

    def parsed(self, schema: Any) -> dict[int, Any]:
        """Return the values of a type in the replies that are there; an invalid one is its error.

        Args:
            schema: The type that was given to `submit`.
        """
        structured = _structured(self._chat, schema)
        return {
            index: outcome if isinstance(outcome, Exception) else _value(structured, outcome[0])
            for index, outcome in self.results().items()
        }

    def _replies(self, outcome: bytes | ModelError) -> list[AIMessage] | Exception:
        if isinstance(outcome, ModelError):
            return outcome
        try:
            return self._chat.replies_from_json(outcome)
        except ModelError as error:
            return error

    def _call(self, prompt: str, outcome: list[AIMessage] | Exception) -> ModelCall:
        call = call_from_outcome(self._chat, prompt, outcome)
        price = call.known_cost()
        call.given_cost = None if price is None else PRICE * price
        return call

    def _prompts(self) -> list[str]:
        """Return a line of each prompt, which is empty if their file is lost."""
        path = self._folder / f"{self.id}{_PROMPTS}"
        try:
            prompts = parse_json(path.read_bytes())
            if not isinstance(prompts, list) or len(cast("list[Any]", prompts)) != self.total:
                raise ValueError(f"it is no list of {self.total:,} prompts")
        except (OSError, ValueError) as error:  # The replies are there, and have been paid for.
            why = f"{path}: {error_line(error)}"
            warn(f"The calls of batch job {self.id} have no prompts: {why}", stacklevel=3)
            return [""] * self.total
        return [str(prompt) for prompt in cast("list[object]", prompts)]

    def _requests(self) -> list[str]:
        """Return the lines of all requests, which are kept until all are submitted."""
        path = self._requests_path
        try:
            lines = path.read_text("utf-8").splitlines()
            if len(lines) != self.total:
                raise ValueError(f"it has {len(lines):,} requests of {self.total:,}")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The rest of batch job {self.id} cannot be submitted: {path}: "
                f"{error_line(error)}. Submit its prompts as a new job."
            ) from error
        return lines

    @property
    def _requests_path(self) -> Path:
        return self._folder / f"{self.id}.jsonl"

    def _save(self) -> None:
        record = {**self._record, "parts": [asdict(part) for part in self._parts]}
        replace_text(self._folder / f"{self.id}.json", [json.dumps(record)], mode=PRIVATE)


def submit(
    chat: SubmittingModel,
    prompts: Sequence[ChatInput],
    *,
    stop: list[str] | None,
    tools: Sequence[ToolLike],
    schema: Any,
    folder: str | Path | None,
    params: dict[str, Any],
) -> BatchJob:
    """Write a job to disk, submit it, and return it; see `BatchChatModel.submit`."""
    if isinstance(prompts, str) or not prompts:
        raise TypeError("submit takes a list of prompts, one or more")
    api, structured = chat.batch_api(), None if schema is None else _structured(chat, schema)
    if structured is not None:
        params = {**structured.request_params(), **params}
    if tools:
        params = {"tools": tools_for_model(chat, tools), **params}
    id, lines, shown = uuid4().hex[:12], list[str](), list[str]()
    for index, prompt in enumerate(prompts):
        messages = structured.request_messages(prompt) if structured else to_messages(prompt)
        path, body = chat.request_json(messages, {"stop": stop, **params})
        lines.append(json.dumps(api.line(f"{id}-{index}", path, body)))
        shown.append(prompt_line(messages))
    record = {
        "id": id,
        "created": time.time(),
        "provider": chat.provider,
        "model": chat.model_name,
        "base_url": redact(chat.base_url or "", by_name=False) or None,
        "parts": [asdict(part) for part in _parts(lines, api)],
    }
    jobs = _folder(folder)
    jobs.mkdir(parents=True, exist_ok=True)
    replace_text(jobs / f"{id}.jsonl", (f"{line}\n" for line in lines), mode=PRIVATE)
    replace_text(jobs / f"{id}{_PROMPTS}", [json.dumps(shown)], mode=PRIVATE)
    replace_text(jobs / f"{id}.json", [json.dumps(record)], mode=PRIVATE)
    try:
        job = BatchJob(record, jobs, chat)
        return job._submit()  # pyright: ignore[reportPrivateUsage]
    except BaseException as error:
        error.add_note(f"The job is on disk: BatchJob.load({id!r}).resume() submits it.")
        raise


def saved_jobs(folder: str | Path | None = None) -> list[dict[str, Any]]:
    """Return the records of all jobs, the newest last; warn of files that are damaged."""
    records = list[dict[str, Any]]()
    for path in _folder(folder).glob("*.json"):
        try:
            records.append(_read_record(path))
        except ConfigurationError as error:
            warn(str(error), stacklevel=2)
    return sorted(records, key=lambda record: record["created"])


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = parse_object(path.read_bytes())
        for name, types in _RECORD.items():
            if not isinstance(record[name], types):
                raise ValueError(f"its {name} is {record[name]!r:.80}")
        if record["id"] != path.stem:  # It names the other files of the job.
            raise ValueError(f"its id is {record['id']!r:.80}")
        _check_order([_part(part) for part in record["parts"]])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"The file of batch job {path.stem!r} is damaged: {path}: {error_line(error)}"
        ) from error
    return record


def _check_order(parts: Sequence[_Part]) -> None:
    """Raise a ValueError unless each part begins where the one before it ends."""
    total = 0
    for part in parts:
        if part.first != total or not 0 < part.count <= _MAX_REQUESTS:
            raise ValueError(f"a part has {part.count} requests from {part.first} on, not {total}")
        total += part.count


def _part(record: Mapping[str, Any]) -> _Part:
    state = PartState(**record["state"])
    part = _Part(record["first"], record["count"], record["remote_id"], state)
    for name in ("first", "count"):
        check_type(name, getattr(part, name), int)
    check_type("remote_id", part.remote_id, str, type(None))
    return part


def _known_batches(folder: Path) -> set[str]:
    """Return the ids of the batches of all jobs in a folder."""
    parts = [part for record in saved_jobs(folder) for part in record["parts"]]
    return {part["remote_id"] for part in parts if part["remote_id"] is not None}


def _parts(lines: Sequence[str], api: BatchApi) -> list[_Part]:
    """Return the batches that the lines need, by the provider's limits."""
    parts, size = list[_Part](), 0
    for index, line in enumerate(lines):
        length = len(line.encode()) + 1
        full = not parts or parts[-1].count == api.max_requests or size + length > api.max_bytes
        if full:
            parts.append(_Part(first=index, count=0))
            size = 0
        parts[-1].count += 1
        size += length
    return parts


def _folder(folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder)
    store = store_path()
    if store == MEMORY:
        raise ConfigurationError(
            "A batch job outlives this process, and CHATNB_STORE=:memory: keeps nothing: "
            "give submit and BatchJob.load the folder= of its file."
        )
    return Path(store).parent / "batch_jobs"


def _structured(chat: SubmittingModel, schema: Any) -> StructuredOutput[Any]:
    return chat.with_structured_output(schema)


def _value(structured: StructuredOutput[Any], reply: AIMessage) -> Any:
    try:
        return structured.value_of(reply)
    except ChatnbError as error:
        return error
