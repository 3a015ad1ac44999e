from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chatnb
from chatnb.chat_models import (
    AzureChatOpenAI,
    BaseChatModel,
    ChatAnthropic,
    ChatLocal,
    ChatOpenAI,
    ScriptedChatModel,
    init_chat_model,
)
from chatnb.errors import (
    CassetteError,
    CassetteMissError,
    MalformedReplyError,
    MissingKeyError,
    MissingWeightsError,
    ModelError,
    RateLimitError,
    StreamInterruptedError,
)
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from chatnb.testing import Cassette
from tests.support.loopback import (
    LoopbackServer,
    delta,
    endless,
    head,
    refusal,
    reset,
    saying,
    usage,
    whole,
)

KEY = "sk-loopback-0123456789abcdef"
ORGANISATION = "org-ABCDEFGH12345678"


class Counting(BaseChatModel):
    """Says how often it was asked."""

    model_name = "counting"

    def __init__(self, temperature: float = 0.0) -> None:
        self.temperature = temperature
        self.asked = 0

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        self.asked += 1
        return AIMessage(f"{self.asked}: {messages[-1].text}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.yaml"


def over_the_wire(server: LoopbackServer, **params: Any) -> ChatOpenAI:
    params = {"organization": ORGANISATION, "max_retries": 0, **params}
    return ChatOpenAI("loopback-1", openai_api_key=KEY, base_url=server.base_url, **params)


STREAM = saying(head(), delta("Hel"), delta("lo\n"), delta("there.", "stop"), usage(3, 4))


async def collected(chat: BaseChatModel, input: Any) -> list[AIMessageChunk]:
    async with aclosing(chat.astream(input)) as chunks:
        return [chunk async for chunk in chunks]


METHODS: dict[str, Callable[[BaseChatModel], Any]] = {
    "invoke": lambda chat: chat.invoke("Hi"),
    "ainvoke": lambda chat: asyncio.run(chat.ainvoke("Hi")),
    "stream": lambda chat: list(chat.stream("Hi")),
    "astream": lambda chat: asyncio.run(collected(chat, "Hi")),
    "batch": lambda chat: chat.batch(["Hi", "Hi"]),
    "abatch": lambda chat: asyncio.run(chat.abatch(["Hi", "Hi"])),
    "generate": lambda chat: chat.generate([[HumanMessage("Hi")]], n=2),
    "agenerate": lambda chat: asyncio.run(chat.agenerate([[HumanMessage("Hi")]], n=2)),
    "call": lambda chat: chat([HumanMessage("Hi")]),
}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_recorded_and_replayed(
    method: str, file: Path, loopback: LoopbackServer
) -> None:
    """A replay returns the chunks that the wire sent, for every method, without a request."""
    loopback.plays(STREAM if "stream" in method else whole("Hello."))
    with chatnb.cassette(file):
        said = METHODS[method](over_the_wire(loopback))
    assert loopback.exchanges
    loopback.plays(refusal("500 No", "must not be asked"))
    with chatnb.cassette(file) as tape:
        assert tape.mode == "replay"
        assert METHODS[method](over_the_wire(loopback)) == said
    assert loopback.exchanges == []


def test_usage_tool_calls_and_reasoning_come_back(file: Path) -> None:
    """All that chunks and messages hold is in the file, not their text alone."""
    reply = AIMessage(
        "Let me see.",
        tool_calls=[{"name": "add", "args": {"a": 1, "b": [2, None]}, "id": "call_x"}],
        usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        additional_kwargs={"reasoning_content": "Hm.\nSums."},
        response_metadata={"logprobs": {"content": [{"token": "Let", "logprob": -0.5}]}},
        id="m1",
    )
    with chatnb.cassette(file):
        told = (
            ScriptedChatModel([reply]).invoke("Hi"),
            list(ScriptedChatModel([reply]).stream("Hi")),
        )
    with chatnb.cassette(file):
        chat = ScriptedChatModel([reply])
        assert (chat.invoke("Hi"), list(chat.stream("Hi"))) == told


def test_order_does_not_matter_and_equal_requests_follow_each_other(file: Path) -> None:
    """Cells may be reordered; what was asked twice is answered in turn, then as the last time."""
    with chatnb.cassette(file):
        chat = Counting()
        assert [chat.invoke(q).text for q in "aba"] == ["1: a", "2: b", "3: a"]
    with chatnb.cassette(file):
        chat = Counting()
        assert [chat.invoke(q).text for q in "baaa"] == ["2: b", "1: a", "3: a", "3: a"]
        assert chat.asked == 0


def test_what_was_streamed_answers_invoke_and_the_other_way_round(file: Path) -> None:
    """A cell may change from `stream` to `invoke` without a new recording."""
    with chatnb.cassette(file):
        list(ScriptedChatModel(["two words"]).stream("a"))
        ScriptedChatModel(["two words"]).invoke("b")
    with chatnb.cassette(file):
        chat = ScriptedChatModel(["two words"])
        assert chat.invoke("a").text == "two words"
        assert [chunk.text for chunk in chat.stream("b")] == ["two words"]


@pytest.mark.parametrize("reply", ["replies: []", "stream: {text: '', pieces: [], after_ms: []}"])
def test_an_empty_reply_is_an_error_of_every_method(file: Path, reply: str) -> None:
    """A stream without chunks may have been recorded, and a file may be edited."""
    chat = ScriptedChatModel(["two words"])
    with chatnb.cassette(file):
        chat.invoke("a")
    written = file.read_text()
    file.write_text(f"{written[: written.index('  replies:')]}  {reply}\n")
    with chatnb.cassette(file, mode="replay"):
        for call in (chat.invoke, lambda text: list(chat.stream(text))):
            with pytest.raises(MalformedReplyError):
                call("a")
        with pytest.raises(MalformedReplyError):
            asyncio.run(chat.ainvoke("a"))


def test_an_error_is_raised_again_as_it_was(file: Path, loopback: LoopbackServer) -> None:
    """Class, status, hint and time to wait come back; and what follows in a retry, too."""
    loopback.plays(refusal("429 Slow", "Slow down.", retry_after="7"), whole("Hello."))
    with chatnb.cassette(file):
        chat = over_the_wire(loopback)
        with pytest.raises(RateLimitError) as recorded:
            chat.invoke("Hi")
        chat.invoke("Hi")
    with chatnb.cassette(file):
        chat = over_the_wire(loopback).with_retry(wait_exponential_jitter=False)
        with pytest.raises(RateLimitError) as replayed:
            over_the_wire(loopback).invoke("Hi")
        assert chat.invoke("Hi").text == "Hello."
    first, second = recorded.value, replayed.value
    for name in ("message", "hint", "status", "retry_after"):
        assert getattr(first, name) == getattr(second, name) not in (None, "")


def test_a_stream_that_broke_off_breaks_off_again(file: Path, loopback: LoopbackServer) -> None:
    """The chunks that had come come again, then the error with what had arrived."""
    loopback.plays(reset(head(), delta("Hel"), delta("lo")))

    def read() -> tuple[list[str], ModelError]:
        texts = list[str]()
        with chatnb.cassette(file), pytest.raises(StreamInterruptedError) as broke:
            texts.extend(chunk.text for chunk in over_the_wire(loopback).stream("Hi"))
        return texts, broke.value

    file_was_there = file.exists()
    _, recorded = read()
    _, replayed = read()
    assert not file_was_there
    assert recorded.partial == replayed.partial == AIMessage("Hello")


def test_a_reply_that_nobody_read_to_its_end_is_kept_as_far_as_it_was(
    file: Path, loopback: LoopbackServer
) -> None:
    """A caller that stops early replays alike; one that goes on is told what the matter is."""
    loopback.plays(endless("word "))
    with chatnb.cassette(file):
        chunks = over_the_wire(loopback).stream("Hi")
        told = [next(chunks), next(chunks)]
        chunks.close()  # pyright: ignore[reportAttributeAccessIssue]
    with chatnb.cassette(file):
        again = over_the_wire(loopback).stream("Hi")
        assert [next(again), next(again)] == told
        with pytest.raises(StreamInterruptedError, match="closed early"):
            next(again)


def test_a_model_without_a_key_is_replayed(
    file: Path, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded with a key, replayed without; outside of the cassette the key is missed."""
    loopback.plays(whole("Hello."))
    with chatnb.cassette(file):
        over_the_wire(loopback).invoke("Hi")
    with chatnb.cassette(file):
        chat = ChatOpenAI("loopback-1")
        assert chat.invoke("Hi").text == "Hello."
    with pytest.raises(MissingKeyError, match="set OPENAI_API_KEY and make the model again"):
        chat.invoke("Hi")
    with pytest.raises(MissingKeyError, match="has no API key"):
        ChatOpenAI("loopback-1")


def test_another_providers_key_is_not_sent_in_place_of_a_missing_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of Groq that a replay made without a key does not take OpenAI's afterwards."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    file.write_text("chatnb_cassette: 1\ncalls: []\n")
    with chatnb.cassette(file):
        groq = init_chat_model("groq:llama-3.1-8b-instant")
        azure = AzureChatOpenAI("gpt-4o")
        claude = ChatAnthropic()
    for chat in (groq, azure, claude):
        with pytest.raises(MissingKeyError, match="make the model again"):
            chat.invoke("Hi")


@pytest.mark.process
def test_the_embedded_model_is_replayed_without_its_weights(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither llama.cpp nor the file is touched; without the cassette their absence is told."""
    with chatnb.cassette(file):
        said = ChatLocal(max_tokens=5).invoke("Hi")
    monkeypatch.setenv("CHATNB_MODEL_PATH", str(tmp_path / "SmolLM2-135M-Instruct.gguf"))
    with chatnb.cassette(file):
        chat = ChatLocal(max_tokens=5)
        assert chat.invoke("Hi") == said
    with pytest.raises(MissingWeightsError, match="which is no file"):
        chat.invoke("Hi")


def test_no_key_and_no_organisation_is_in_the_file(
    file: Path, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a byte of them: not from headers, nor from prompts, replies or a server's refusal."""
    environments = "hunter2-of-the-environment"
    monkeypatch.setenv("GROQ_API_KEY", environments)
    secrets = [KEY, ORGANISATION, environments, "req_secret-request"]
    told = f"I was told {KEY}, {ORGANISATION}\nand {environments}."
    loopback.plays(
        whole(told),
        saying(head(), delta(f"Is it {KEY[:9]}"), delta(f"{KEY[9:]}?", "stop")),
        refusal("401 No", f"Incorrect key: {KEY} of {ORGANISATION}", x_request_id=secrets[-1]),
    )
    with chatnb.cassette(file):
        chat = over_the_wire(loopback)
        chat.invoke(f"My key is {KEY}.", extra_headers={"authorization": f"Bearer {KEY}"})
        list(chat.stream("Which key?"))
        with pytest.raises(ModelError):
            chat.invoke("Hi")
    written = file.read_bytes()
    for secret in secrets:
        assert secret.encode() not in written
    assert b"***" in written
    assert b"127.0.0.1" not in written
    with chatnb.cassette(file):
        assert chat.invoke(f"My key is {KEY}.").text == told.replace(KEY, "***").replace(
            ORGANISATION, "***"
        ).replace(environments, "***")
        assert [chunk.text for chunk in chat.stream("Which key?")] == [
            "Is it ***?",
            "",
        ]


def test_ids_times_addresses_and_defaults_are_not_part_of_a_request(file: Path) -> None:
    """Fields that change from run to run do not make a request another one."""

    def conversation(call: str, id: str) -> list[BaseMessage]:
        made = AIMessage("", tool_calls=[{"name": "add", "args": {}, "id": call}], id=id)
        return [HumanMessage("Add.", id=id), made, ToolMessage("3", tool_call_id=call)]

    with chatnb.cassette(file):
        ScriptedChatModel(["Three."], delay=0.001).invoke(conversation("call_abc", "m1"))
        Counting().invoke("Hi")
    with chatnb.cassette(file):
        chat = ScriptedChatModel(["Three."])
        assert chat.invoke(conversation("call_xyz", "m2")).text == "Three."
        assert Counting(temperature=0.0).invoke("Hi", temperature=None).text == "1: Hi"


@pytest.mark.parametrize(
    ("ask", "shown"),
    [
        (lambda: Counting().invoke("Name four colours."), "+ - human: Name four colours."),
        (lambda: Counting(temperature=0.7).invoke("Name three colours."), "temperature: 0.7"),
        (lambda: Counting().invoke("Name three colours.", stop=["x"]), "stop: [x]"),
        (lambda: Counting().invoke("Name three colours.", tools=[{"name": "t"}]), "+ - name: t"),
        (lambda: list(ScriptedChatModel(["a"]).stream("Hi")), "- model: Counting counting"),
    ],
)
def test_a_miss_shows_the_nearest_request_and_what_to_type(
    file: Path, ask: Callable[[], object], shown: str
) -> None:
    """A changed prompt, parameter, stop, tool or model fails in replay, and says how it differs."""
    with chatnb.cassette(file):
        Counting().invoke("Name three colours.")
        Counting().invoke("Something else altogether, which is much longer.")
    with chatnb.cassette(file), pytest.raises(CassetteMissError) as missed:
        ask()
    said = str(missed.value)
    assert shown in said
    assert "Something else" not in said
    assert said.splitlines()[0].endswith(
        "has no reply to this request. The nearest that it has differs (- recorded):"
    )
    assert "set CHATNB_CASSETTE_MODE=record" in said


def test_the_command_that_records_can_be_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that runs the kernel says what is to be typed."""
    file.write_text("chatnb_cassette: 1\ncalls: []\n")
    monkeypatch.setenv("CHATNB_RECORD_COMMAND", "make notebooks-record")
    with chatnb.cassette(file), pytest.raises(CassetteMissError, match="make notebooks-record"):
        Counting().invoke("Hi")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chatnb_cassette: 2\ncalls: []\n", "written by a newer chatnb.*pip install --upgrade"),
        ("chatnb_cassette: 1\ncalls: [\n", "damaged in line 3 .*Restore it from version control"),
        ("- 1\n", "is not a cassette of chatnb"),
        ("", "is not a cassette of chatnb"),
        ("chatnb_cassette: 1\ncalls: 7\n", "its head is not a cassette's"),
        ("chatnb_cassette: 1\ncalls:\n- request: {}\n", "call 1 cannot be read"),
        (
            "chatnb_cassette: 1\ncalls:\n- request: {}\n"
            "  stream: {text: abc, pieces: [2], after_ms: [0]}\n",
            "pieces add up to 2 characters, and text has 3",
        ),
        ("chatnb_cassette: 1\ncalls: [3]\n", "a call is a mapping, not 3"),
        ("chatnb_cassette: 1\ncalls: [{replies: []}]\n", "it has no 'request'"),
        (
            "chatnb_cassette: 1\ncalls: [{request: {}, replies: [], reply: a}]\n",
            "a call has no 'reply': its fields are request, index, replies",
        ),
        (
            "chatnb_cassette: 1\ncalls: [{request: {messages: [Hi]}, replies: []}]\n",
            "a message is a mapping, such as `human: Hi`, not 'Hi'",
        ),
        (
            "chatnb_cassette: 1\ncalls: [{request: {}, response: {stats: 200}}]\n",
            "a response has no 'stats'",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["replay", "record", "refresh"])
def test_a_file_that_cannot_be_used_says_what_to_do(
    file: Path, text: str, said: str, mode: Any
) -> None:
    """Damaged, foreign or newer: refused in every mode, and left as it is."""
    file.write_text(text)
    with pytest.raises(CassetteError, match=said):
        Cassette(file, mode)
    assert file.read_text() == text


def test_a_missing_file_cannot_be_replayed(file: Path) -> None:
    """The error names the file and the way to record it."""
    with pytest.raises(CassetteError, match=r"no cassette .*calls.yaml.*_MODE=record"):
        Cassette(file, "replay")


def test_record_asks_for_what_is_missing_alone(file: Path) -> None:
    """Recorded replies are replayed; others are added behind them."""
    with chatnb.cassette(file):
        Counting().invoke("a")
    before = file.read_text()
    with chatnb.cassette(file, "record"):
        chat = Counting()
        assert [chat.invoke("a").text, chat.invoke("b").text] == ["1: a", "1: b"]
    assert chat.asked == 1
    assert file.read_text().startswith(before)


def test_refresh_asks_anew_and_drops_what_was_not_asked(file: Path) -> None:
    """Calls stay in their places, so that a diff shows what changed and nothing else."""
    with chatnb.cassette(file):
        chat = Counting()
        [chat.invoke(q) for q in ("a", "gone", "b")]
    with chatnb.cassette(file, "refresh"):
        chat = Counting()
        assert [chat.invoke(q).text for q in ("b", "a")] == ["1: b", "2: a"]
        assert "gone" in file.read_text()
    written = file.read_text()
    assert "gone" not in written
    assert written.index("2: a") < written.index("1: b")


def test_a_refresh_that_fails_drops_nothing(file: Path) -> None:
    """Replies that were not asked for because of an error in between are kept."""
    with chatnb.cassette(file):
        Counting().invoke("a")
        Counting().invoke("b")
    with contextlib.suppress(ZeroDivisionError), chatnb.cassette(file, "refresh"):
        Counting().invoke("a")
        raise ZeroDivisionError
    assert "1: b" in file.read_text()


def test_off_does_nothing(file: Path) -> None:
    """Neither replayed nor recorded, and the file need not be there."""
    with chatnb.cassette(file, "off"):
        assert Counting().invoke("a").text == "1: a"
    assert not file.exists()


@pytest.mark.parametrize("bad", ["rewind", "REPLAY"])
def test_a_mode_that_does_not_exist_says_which_do(
    file: Path, bad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the argument and in the environment alike."""
    with pytest.raises(ValueError, match="mode is one of replay, record, refresh, off"):
        chatnb.cassette(file, bad)
    monkeypatch.setenv("CHATNB_CASSETTE_MODE", bad)
    with pytest.raises(ValueError, match="CHATNB_CASSETTE_MODE is one of"):
        chatnb.cassette(file)


@pytest.mark.slow
def test_the_environment_names_a_cassette(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHATNB_CASSETTE and CHATNB_CASSETTE_MODE do what the context does, in other processes too."""
    monkeypatch.setenv("CHATNB_CASSETTE", str(file))
    Counting().invoke("Hi")
    monkeypatch.setenv("CHATNB_CASSETTE_MODE", "replay")
    code = "from tests.cassettes.test_cassette import *; print(Counting().invoke('Hi').text)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout == "1: Hi\n"


def test_the_recorded_pace_can_be_kept(file: Path) -> None:
    """At pace 2 a replay waits half as long as the chunks took, by the clock that it is given."""
    times = iter(range(100))
    with Cassette(file, clock=lambda: next(times) / 4):
        list(ScriptedChatModel(["one two"]).stream("Hi"))
        ScriptedChatModel(["one"]).invoke("Ho")
    slept = list[float]()
    with Cassette(file, pace=2.0, sleep=slept.append):
        list(ScriptedChatModel(["one two"]).stream("Hi"))
        ScriptedChatModel(["one"]).invoke("Ho")
    assert slept == [0.125, 0.125, 0.125]
    with pytest.raises(ValueError, match="pace is a number above 0"):
        Cassette(file, pace=0)


def test_an_async_context_does_the_same(file: Path) -> None:
    """`async with` records and replays; two calls at once keep the order they began in."""

    async def ask() -> list[str]:
        async with chatnb.cassette(file):
            slow, quick = ScriptedChatModel(["slow"], delay=0.05), ScriptedChatModel(["quick"])
            said = await asyncio.gather(slow.ainvoke("a"), quick.ainvoke("b"))
            return [reply.text for reply in said]

    assert asyncio.run(ask()) == asyncio.run(ask()) == ["slow", "quick"]
    written = file.read_text()
    assert written.index("human: a") < written.index("human: b")


@pytest.mark.slow
def test_two_processes_lose_nothing(file: Path) -> None:
    """Both record into one file at once, and every call is in it, readable at every moment."""
    code = (
        "import sys, chatnb; from tests.cassettes.test_cassette import Counting\n"
        "with chatnb.cassette(sys.argv[1], 'record'):\n"
        "    for n in range(25): Counting().invoke(f'{sys.argv[2]} {n}')\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(file), who]) for who in ("one", "two")
    ]
    while any(process.poll() is None for process in running):
        if file.exists():
            Cassette(file, "replay")
    assert [process.returncode for process in running] == [0, 0]
    with chatnb.cassette(file, "replay"):
        for who in ("one", "two"):
            for n in range(25):
                assert Counting().invoke(f"{who} {n}").text == f"1: {who} {n}"
    assert [path.name for path in file.parent.iterdir()] == ["calls.yaml"]


@pytest.mark.parametrize("has_number", [True, False])
def test_recording_needs_no_user_name(
    file: Path, monkeypatch: pytest.MonkeyPatch, has_number: bool
) -> None:
    """Neither in a container, whose user may be a number alone, nor on Windows, without one."""

    def nobody(_: object) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    if not has_number:
        monkeypatch.delattr("os.getuid")
    with chatnb.cassette(file):
        said = Counting().invoke("Hi")
    with chatnb.cassette(file):
        assert Counting().invoke("Hi") == said


def test_what_is_written_reads_well(file: Path) -> None:
    """Text of several lines is a block, numbers take one line, and nothing else is in the way."""
    with Cassette(file, clock=lambda: 0.0):
        list(
            ScriptedChatModel(
                ["# Title\n\n- one\n- two ☺"],
                usage=[{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}],
            ).stream("Sum it\nup.")
        )
    assert file.read_text() == EXPECTED


EXPECTED = """\
# Replies of chat models, recorded by chatnb, which replays them by the content of the request.
chatnb_cassette: 1
calls:

- request:
    model: ScriptedChatModel scripted
    parameters:
      responses:
      - |-
        # Title

        - one
        - two ☺
      usage:
      - input_tokens: 3
        output_tokens: 4
        total_tokens: 7
    messages:
    - human: |-
        Sum it
        up.
  stream:
    text: |-
      # Title

      - one
      - two ☺
    pieces: [1, 6, 3, 4, 2, 4, 2]
    after_ms: [0, 0, 0, 0, 0, 0, 0]
    besides:
    - chunk: 6
      response_metadata: {model_name: scripted, finish_reason: stop}
      usage_metadata: {input_tokens: 3, output_tokens: 4, total_tokens: 7}
"""


@pytest.mark.slow
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_text_comes_back_as_it_was(tmp_path_factory: Any, texts: list[str]) -> None:
    """A reply of any characters and line ends, cut anywhere into chunks, is replayed unchanged."""
    file = tmp_path_factory.mktemp("any") / "calls.yaml"
    with chatnb.cassette(file):
        told = list(ScriptedChatModel([texts]).stream(texts[0]))
    with chatnb.cassette(file):
        assert list(ScriptedChatModel([texts]).stream(texts[0])) == told
