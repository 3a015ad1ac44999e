"""`%chat use`, `models`, `config`: what a session's cells ask with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ChatLocal, ChatOpenAI, providers
from chatnb.chat_models.model_families import DEFAULT_MODELS
from chatnb.chat_models.registry import all_providers, models_served
from chatnb.errors import ConfigurationError, ModelConnectionError, UnknownModelError
from chatnb.errors.documentation import see_section
from chatnb.notebook import register
from chatnb.notebook.options import split_words
from chatnb.notebook.tables.providers import ProviderTable
from chatnb.schema import HumanMessage, SystemMessage
from tests.support.batch_server import batch_server
from tests.support.recording_model import Asked


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"first": Asked(), "second": Asked()})
    return bare_shell


def asked(shell: InteractiveShell, name: str) -> Asked:
    return shell.user_ns[name]


def test_use_chooses_who_answers_from_now_on(shell: InteractiveShell) -> None:
    """Cells without -m ask the chosen model, also when its variable is another's by then."""
    assert shell.run_cell("%chat use first").success
    first = asked(shell, "first")
    shell.run_cell("first = None")
    shell.run_cell("%%chat\nHi")
    shell.run_cell("%%chat -m second\nHi")
    assert (len(first.asked), len(asked(shell, "second").asked)) == (1, 1)


def test_a_model_of_a_name_can_be_chosen(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """%chat use takes what -m takes, and the notice about the missing key is then no longer due."""
    shell.run_cell("%chat use scripted:Hello.\n")
    shell.run_cell("%%chat\nHi")
    shown = capsys.readouterr().out
    assert shown.startswith("scripted:Hello. answers from now on.\nHello.")
    assert "No API key" not in shown


@pytest.mark.parametrize(
    "line", ["%chat", "%chat help", "%chat -h", "%chat?", "%chat??", "?%chat", "  %chat ?"]
)
def test_help_lists_the_commands(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """It is no error to ask."""
    assert shell.run_cell(line).success
    shown = capsys.readouterr().out
    assert "%chat use MODEL" in shown
    assert "write %%chat on a cell's first line" in shown
    assert shown.splitlines()[-1] == see_section("cell")


@pytest.mark.parametrize("line", ["%chat use?", "%chat help use", "?%chat use", "%chat help use?"])
def test_help_about_one_command(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """A question mark after a command asks what it takes."""
    assert shell.run_cell(line).success
    usage, summary, address = capsys.readouterr().out.splitlines()
    assert (usage, summary) == ("%chat use MODEL", "set the model of cells without -m")
    assert address == see_section("models-in-cells")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("it's what's", ["it's", "what's"]),
        ("-s 'don't' \"it's\" -t=1", ["-s", "don't", "it's", "-t=1"]),
        ("system='Be brief.' ''", ["system=Be brief.", ""]),
        (
            r"""C:\dir\a.md my\ file "say \"hi\"" \'x\'""",
            [r"C:\dir\a.md", "my file", 'say "hi"', "'x'"],
        ),
    ],
)
def test_lines_are_split_as_people_write(line: str, words: list[str]) -> None:
    """Quotes hold words together; an apostrophe in a word, or a path of Windows, is itself."""
    assert split_words(line) == words


@given(st.lists(st.text("a b'\"\\=$\t", max_size=8), max_size=4))
def test_words_quoted_for_a_shell_come_back(words: list[str]) -> None:
    """Exported notebooks quote options that way."""
    assert split_words(shlex.join(words)) == words


@pytest.mark.parametrize(
    "words", ["what?", "it's", "it's what's", "isn't it?", "'two words'", 'is "it', "dogs' bowl"]
)
def test_words_of_a_search_are_taken_as_they_are(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """Question marks are IPython's otherwise, and apostrophes a quote; a prompt is left alone."""
    assert shell.run_cell(f"%chat search {words}").success
    assert "No message has these words." in capsys.readouterr().out
    shell.run_cell("%%chat -m first\n%chat search what?")
    assert asked(shell, "first").prompt == "%chat search what?"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "%chat lsit",
            "There is no command %chat lsit. Did you mean %chat list? %chat lists all of them.",
        ),
        ("%chat Where is Oslo?", "To ask, write %%chat on a cell's first line"),
        ("%chat help me", "There is no command %chat me."),
        ("%chat use nobody:x", "No chat model is called 'nobody:x'"),
        ("%chat use openai:gpt-4o-mini", "OPENAI_API_KEY"),
        ("%chat use", "Usage: %chat use MODEL"),
        ("%chat use a b", "Usage: %chat use MODEL"),
        ("%chat config temperature=hot", "takes a number from 0 to 2, not 'hot'"),
        ("%chat config temperature=3", "takes a number from 0 to 2, not '3'"),
        ("%chat config max_tokens=0", "takes a whole number above 0, not '0'"),
        ("%chat config colour=red", "one of model, system, temperature, max_tokens, context"),
        ("%chat config temperature=1 model=nobody:x", "No chat model is called 'nobody:x'"),
        ("%chat models nobody", "No provider is called 'nobody'"),
        ("%chat models openai", "Only servers on this machine are asked"),
        ("%chat panel a b", "Usage: %chat panel [NAME]"),
    ],
)
def test_what_cannot_be_is_said_at_once_and_changes_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    """A refused command is a line or two, and the session goes on as it was."""
    shell.run_cell("%chat use first")
    assert not shell.run_cell(line).success
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err
    shell.run_cell("%%chat\nHi")
    assert "temperature" not in asked(shell, "first").asked[0][1]


def test_any_error_of_a_command_is_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a command meets anywhere below it has no frames of chatnb, either."""
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    assert not shell.run_cell("%chat jobs").success
    shown = capsys.readouterr().out
    assert "ConfigurationError: A batch job outlives this process" in shown
    assert len(shown.splitlines()) == 1


def test_config_holds_for_cells_that_say_nothing_else(shell: InteractiveShell) -> None:
    """Settings reach the model; the cell's own options and a conversation's own system prompt go
    before them."""
    shell.run_cell("%chat config model=first temperature=0.2 max_tokens=9 system='Be brief.'")
    shell.run_cell("%%chat\none")
    shell.run_cell("%%chat -t 1 -c other -s 'Be long.'\ntwo")
    (brief, given), (long, own) = asked(shell, "first").asked
    assert brief == [SystemMessage("Be brief."), HumanMessage("one")]
    assert (given["temperature"], given["max_tokens"]) == (0.2, 9)
    assert long == [SystemMessage("Be long."), HumanMessage("two")]
    assert (own["temperature"], own["max_tokens"]) == (1, 9)


def test_config_tells_what_is_set(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows each setting, one can be taken back, and reset takes all back."""
    shell.run_cell("%chat config model=first temperature=0.2 max_tokens=9")
    capsys.readouterr()
    shell.run_cell("%chat config temperature=")
    shown = " ".join(capsys.readouterr().out.split())
    assert shown == (
        "model first system none temperature the model's own max_tokens 9 context none"
    )
    shell.run_cell("%chat config reset")
    assert "model           OpenAI if OPENAI_API_KEY is set" in capsys.readouterr().out


def test_models_tells_what_is_usable_and_what_is_missing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is set makes a provider ready, and no key is ever shown."""
    monkeypatch.setenv("GROQ_API_KEY", "gsk-never-shown")
    monkeypatch.setenv("CHATNB_MODEL_PATH", "/no/such.gguf")
    shell.run_cell("%chat models")
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line.split(maxsplit=2)[2] for line in shown.splitlines() if line}
    assert rows["groq"].strip() == "ready"
    assert rows["openai"].split("  ")[-1].strip() == "set OPENAI_API_KEY"
    assert "download smollm2" in rows["local"]
    assert "if its server runs" in rows["ollama"]
    assert "gsk-never-shown" not in shown


def test_models_tells_which_one_replies(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model of cells that name none is the embedded one, OpenAI's, or the chosen one."""
    for setting, name in (("", "local:smollm2"), ("k", DEFAULT_MODELS["openai"])):
        monkeypatch.setenv("OPENAI_API_KEY", setting)
        shell.run_cell("%chat models")
        assert re.search(rf"Cells without -m ask (openai:)?{name}\. ", capsys.readouterr().out)
    shell.run_cell("%chat use first")
    shell.run_cell("%chat models")
    assert "Cells without -m ask first. " in capsys.readouterr().out


def test_the_table_is_there_in_every_form() -> None:
    """Text for terminals, Markdown and HTML for notebooks, each with every provider."""
    rows = all_providers()
    bundle = ProviderTable(rows)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    for shown in bundle.values():
        assert [row.name for row in rows if row.name not in shown] == []


class _Lists(BaseHTTPRequestHandler):
    body = b'{"data": [{"id": "qwen3"}, {"id": "llama3.2"}]}'

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Lists)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ollama_at(monkeypatch: pytest.MonkeyPatch):
    """Ollama's row of the table, at another port of this machine."""
    table = providers.known_providers()

    def put(address: str) -> None:
        row = table["ollama"]
        monkeypatch.setitem(table, "ollama", type(row)(**{**vars(row), "base_url": address}))  # type: ignore[arg-type]

    return put


def test_a_server_on_this_machine_is_asked_for_its_models(ollama_at, address: str) -> None:
    """Only when it is named, and the names it gives can be typed as they are."""
    ollama_at(address)
    assert models_served("ollama") == ["ollama:llama3.2", "ollama:qwen3"]


def test_servers_that_run_here_are_in_the_table(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], ollama_at, address: str
) -> None:
    """`%chat models` shows what a server of this machine has, by the name to write."""
    ollama_at(address)
    shell.run_cell("%chat models")
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("ollama"))
    assert row.split(maxsplit=3) == ["ollama", "ollama:llama3.2", "running", "has llama3.2, qwen3"]


def test_the_first_notice_offers_a_server_that_runs_here(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, ollama_at, address: str
) -> None:
    """The notice about the embedded model, which comes once, names what would answer better."""
    ollama_at(address)
    session = shell.magics_manager.registry["ChatMagics"].session
    monkeypatch.setattr("chatnb.notebook.session.is_replaying", lambda: False)
    assert "ollama runs here: %%chat -m ollama:llama3.2." in session.embedded_notice(ChatLocal())
    assert not session.embedded_notice(ChatLocal())


def test_a_server_that_is_not_there_says_how_to_start_it(ollama_at) -> None:
    """Nothing answers: the error has the address and where to read on."""
    ollama_at("http://127.0.0.1:9/v1")
    with pytest.raises(ModelConnectionError, match="Start ollama; https://docs"):
        models_served("ollama")


def test_what_is_no_list_of_models_is_said_to_be_none(
    ollama_at, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program at that port is not taken for a server of models."""
    ollama_at(address)
    monkeypatch.setattr(_Lists, "body", b"<html>")
    with pytest.raises(ModelConnectionError, match="lists no models"):
        models_served("ollama")


def test_no_other_machine_is_asked() -> None:
    """A provider elsewhere, or one that is not known, is an error before anything is sent."""
    with pytest.raises(ConfigurationError, match="llamacpp, lmstudio, ollama, vllm"):
        models_served("groq")
    with pytest.raises(UnknownModelError):
        models_served("nobody")


def test_jobs_lists_the_jobs_of_batch_apis(
    shell: InteractiveShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With how far they have come; one that cannot be asked for has its error."""
    monkeypatch.setenv("CHATNB_STORE", str(tmp_path / "conversations.db"))
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    shell.run_cell("%chat jobs")
    assert "There are no jobs" in capsys.readouterr().out
    with batch_server() as server:
        chat = ChatOpenAI("m", base_url=server.base_url, max_retries=0)
        ids = [chat.submit([prompt]).id for prompt in ("a", "bad")]
        server.finish()
        shell.run_cell("%chat jobs")
        first, second = capsys.readouterr().out.strip().splitlines()
    assert first.endswith(f"openai:m  BatchJob {ids[0]}: completed, 1 of 1 answered")
    assert second.endswith(f"BatchJob {ids[1]}: completed, 0 of 1 answered, 1 failed")
    shell.run_cell("%chat jobs")
    # What has ended needs no server.
    assert capsys.readouterr().out.strip().splitlines() == [first, second]
