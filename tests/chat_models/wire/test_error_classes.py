from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from chatnb import cassette, errors
from chatnb.chat_models import BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.wire.error_classes import make_loaded_sdk_error, make_sdk_error
from tests.support.loopback import LoopbackServer, delta, event, head, refusal, reset, saying

KEY = "sk-very-secret-key"
Ask = Callable[[BaseChatModel], object]


def openai_at(base_url: str, **arguments: Any) -> ChatOpenAI:
    return ChatOpenAI("m", api_key=KEY, base_url=base_url, max_retries=0, **arguments)


def anthropic_at(base_url: str) -> ChatAnthropic:
    return ChatAnthropic("m", api_key=KEY, base_url=base_url, max_retries=0)


def invoked(chat: BaseChatModel) -> object:
    return chat.invoke("Hi")


def streamed(chat: BaseChatModel) -> object:
    return list(chat.stream("Hi"))


def ainvoked(chat: BaseChatModel) -> object:
    return asyncio.run(chat.ainvoke("Hi"))


def astreamed(chat: BaseChatModel) -> object:
    async def read() -> list[Any]:
        return [chunk async for chunk in chat.astream("Hi")]

    return asyncio.run(read())


STATUSES = [
    ("400 Bad Request", "BadRequestError", errors.BadRequestError),
    ("401 Unauthorized", "AuthenticationError", errors.AuthenticationError),
    ("403 Forbidden", "PermissionDeniedError", errors.AuthenticationError),
    ("404 Not Found", "NotFoundError", errors.NotFoundError),
    ("405 Not Allowed", "APIStatusError", errors.ModelError),
    ("409 Conflict", "ConflictError", errors.ModelError),
    ("422 Unprocessable", "UnprocessableEntityError", errors.BadRequestError),
    ("429 Too Many", "RateLimitError", errors.RateLimitError),
    ("500 Oops", "InternalServerError", errors.ServerError),
    ("503 Busy", "InternalServerError", errors.ServerError),
]


@pytest.mark.parametrize(
    ("sdk", "chat_at"),
    [(openai, openai_at), (anthropic, anthropic_at)],
    ids=["openai", "anthropic"],
)
@pytest.mark.parametrize(("status", "theirs", "ours"), STATUSES)
def test_an_error_response_is_of_both_classes(
    loopback: LoopbackServer,
    status: str,
    theirs: str,
    ours: type[errors.ModelError],
    sdk: Any,
    chat_at: Callable[[str], BaseChatModel],
) -> None:
    """Code for the SDK catches it by the SDK's name, reads its fields, and sees no key."""
    loopback.plays(refusal(status, f"No, {KEY}.", x_request_id="req-1"))
    with pytest.raises(getattr(sdk, theirs)) as raised:
        chat_at(loopback.base_url).invoke("Hi")
    error: Any = raised.value
    assert isinstance(error, ours)
    assert isinstance(error, sdk.APIStatusError)
    assert error.status_code == error.response.status_code == error.status == int(status[:3])
    assert type(error).__name__ == type(error).__qualname__
    assert type(error).__module__ == "chatnb.errors"
    assert KEY not in f"{error} {error.body} {vars(error.response.request)['headers']}"


@pytest.mark.slow
@pytest.mark.parametrize("ask", [invoked, ainvoked, streamed, astreamed])
@pytest.mark.parametrize("chat_at", [openai_at, anthropic_at])
def test_a_replay_raises_the_class_that_was_recorded(
    loopback: LoopbackServer, tmp_path: Path, chat_at: Callable[[str], BaseChatModel], ask: Ask
) -> None:
    """Code for the SDK catches an error of each status from a cassette as it does a live one."""
    loopback.plays(*(refusal(status, "No.") for status, *_ in STATUSES))
    for status, *_ in STATUSES:
        file, caught = tmp_path / f"{status[:3]}.yaml", list[Any]()
        for _ in ("recorded", "replayed"):
            with cassette(file), pytest.raises(errors.ModelError) as raised:
                ask(chat_at(loopback.base_url))
            caught.append(raised.value)
        recorded, replayed = caught
        assert type(replayed) is type(recorded)
        assert replayed.status_code == recorded.status_code
    assert len(loopback.exchanges) == len(STATUSES)


@pytest.mark.parametrize("ask", [invoked, ainvoked, streamed])
def test_the_class_of_quota_s_error_is_kept(loopback: LoopbackServer, ask: Ask) -> None:
    """The finer class of chatnb and its attributes are there, too."""
    loopback.plays(refusal("429 Too Many", "Spent.", "insufficient_quota"))
    with pytest.raises(openai.RateLimitError) as raised:
        ask(openai_at(loopback.base_url))
    error: Any = raised.value
    assert isinstance(error, errors.QuotaSpentError)
    assert error.code == "insufficient_quota"
    assert str(error).startswith("Spent.")


async def _silence(_: Any) -> Any:
    await asyncio.sleep(60)
    yield b""


@pytest.mark.parametrize(
    ("script", "theirs", "ours"),
    [
        (reset(), openai.APIConnectionError, errors.ModelConnectionError),
        (
            reset(head(), delta("Hel")),
            openai.APIConnectionError,
            errors.StreamInterruptedError,
        ),
        (_silence, openai.APITimeoutError, errors.ModelTimeoutError),
        (saying(head(), event({"choices": ["what"]})), openai.APIError, errors.MalformedReplyError),
        (
            saying(head(), event({"error": {"message": "Busy.", "code": 429}})),
            openai.RateLimitError,
            errors.RateLimitError,
        ),
    ],
)
def test_an_error_without_a_response_is_of_both_classes(
    loopback: LoopbackServer,
    script: Any,
    theirs: type[Exception],
    ours: type[errors.ModelError],
) -> None:
    """Lost connections, timeouts, and errors within a stream."""
    loopback.plays(script)
    with pytest.raises(theirs) as raised:
        streamed(openai_at(loopback.base_url, timeout=0.5 if script is _silence else 60))
    assert isinstance(raised.value, ours)
    assert isinstance(raised.value, openai.OpenAIError)


def test_copies_and_batches_keep_what_matters(loopback: LoopbackServer) -> None:
    """A pickled error is chatnb's; a batch's is of the SDK's class as well."""
    loopback.plays(refusal("429 Too Many", "Slower.", retry_after="3", x_request_id="req-1"))
    chat = openai_at(loopback.base_url)
    with pytest.raises(openai.RateLimitError) as raised:
        chat.invoke("Hi")
    for again in (pickle.loads(pickle.dumps(raised.value)), copy.deepcopy(raised.value)):
        assert type(again) is errors.RateLimitError
        assert (str(again), again.retry_after) == (str(raised.value), 3)
    loopback.plays(refusal("401 Unauthorized", "No."))
    with pytest.raises(openai.AuthenticationError) as batch:
        chat.batch(["Hi"])
    assert isinstance(batch.value, errors.BatchError)
    assert isinstance(pickle.loads(pickle.dumps(batch.value)), errors.AuthenticationError)


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=["openai", "anthropic"])
@pytest.mark.parametrize(
    ("error", "theirs"),
    [
        (errors.ModelError("no"), "APIError"),
        (errors.ModelError("no", status=418), "APIStatusError"),
        (errors.RateLimitError("no"), "RateLimitError"),
        (errors.QuotaSpentError("no", status=429), "RateLimitError"),
        (errors.ContextOverflowError("no", status=400), "BadRequestError"),
        (errors.AuthenticationError("no", status=401), "AuthenticationError"),
        (errors.AuthenticationError("no", status=403), "PermissionDeniedError"),
        (errors.BadRequestError("no", status=422), "UnprocessableEntityError"),
        (errors.ModelError("no", status=409), "ConflictError"),
        (errors.ServerError("no", status=502), "InternalServerError"),
        (errors.ModelTimeoutError("no"), "APITimeoutError"),
        (errors.StreamInterruptedError("no"), "APIConnectionError"),
    ],
)
def test_an_error_of_ours_is_of_the_sdk_s_finest_class(
    sdk: Any, error: errors.ModelError, theirs: str
) -> None:
    """Also where the SDK raised none; fields that only a response has are None."""
    made: Any = copy.copy(error)
    make_sdk_error(made, sdk)
    bases = [
        base.__name__ for base in type(made).__mro__ if base.__module__.startswith(sdk.__name__)
    ]
    assert bases[0] == theirs
    assert type(made).__mro__[1] is type(error)
    assert (made.status_code, made.response, made.body) == (error.status, None, None)
    again = type(made)
    make_sdk_error(made, sdk)
    assert type(made) is again


def test_an_error_of_another_sdk_stays_as_it_is() -> None:
    """Only those of the SDKs of models are looked for below what was raised."""
    error = errors.ModelError("no")
    make_loaded_sdk_error(error, ValueError("x"))
    assert type(error) is errors.ModelError
    make_loaded_sdk_error(
        error, openai.APIConnectionError(request=httpx2.Request("GET", "http://a"))
    )
    assert isinstance(error, openai.APIConnectionError)


@pytest.mark.process
def test_errors_import_no_sdk() -> None:
    """An error of a model without an SDK leaves openai unloaded."""
    code = (
        "import sys\n"
        "from chatnb import ScriptedChatModel\n"
        "from chatnb.errors import RateLimitError\n"
        "try:\n"
        "    ScriptedChatModel([RateLimitError('Slower.')]).invoke('Hi')\n"
        "except RateLimitError:\n"
        "    print(sorted({'openai', 'anthropic'} & sys.modules.keys()))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
