"""Notebooks that call SDKs and other clients of HTTP themselves, run by the plugin."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.support.anthropic_events import answering
from tests.support.anthropic_events import whole as anthropic_whole
from tests.support.forked_kernels import CLIENTS
from tests.support.loopback import LoopbackServer, delta, head, saying, usage, whole
from tests.support.notebook_runs import Ran, edit, run_pytest, write_notebook

pytestmark = pytest.mark.slow

KEY = "sk-loopback-0123456789abcdef"
MESSAGES = "messages = [{'role': 'user', 'content': 'Name a colour.'}]"
CLIENT = f"from openai import OpenAI\nclient = OpenAI()\n{MESSAGES}"
ASK = (
    "print(client.chat.completions.create(model='m', messages=messages).choices[0].message.content)"
)
STREAMED = "stream=True) if c.choices)"
CELLS = (
    CLIENT,
    ASK,
    "print(*(c.choices[0].delta.content for c in client.chat.completions.create("
    f"model='m', messages=messages, {STREAMED}, sep='|')",
    "from openai import AsyncOpenAI\n"
    "chunks = await AsyncOpenAI().chat.completions.create("
    "model='m', messages=messages, stream=True, seed=1)\n"
    "print(*[c.choices[0].delta.content async for c in chunks if c.choices], sep='|')",
    "from anthropic import Anthropic\n"
    "reply = Anthropic().messages.create(model='m', max_tokens=9, messages=messages)\n"
    "print(reply.content[0].text)",
    "from langchain_openai import ChatOpenAI\nfrom chatnb.langchain import from_langchain\n"
    "model = ChatOpenAI(model='m', seed=2)\n"
    "print(model.invoke('Hi').content, (await model.ainvoke('Hello')).content)\n"
    "print(from_langchain(model).invoke('Good day').text)",
    "import os, requests, urllib.request\nurl = os.environ['OPENAI_BASE_URL'] + '/plain'\n"
    "reply = requests.post(url, json={'a': 1})\n"
    "print(reply.json()['choices'][0]['message']['content'], reply.headers['Content-Type'])\n"
    "asked = urllib.request.Request(url, b'{}', {'Content-Type': 'application/json'})\n"
    "print(len(urllib.request.urlopen(asked).read()) > 9)",
)
SCRIPTS = (
    whole("Blue, at once."),
    saying(head(), delta("Gre"), delta("en", "stop"), usage(1, 2)),
    saying(head(), delta("Re"), delta("d", "stop"), usage(1, 2)),
    answering(anthropic_whole({"type": "text", "text": "Yellow"})),
    *map(whole, ("Orange", "Pink", "Grey", "White", "Black")),
)
PRINTED = ["", "Blue, at once.\n", "Gre|en\n", "Re|d\n", "Yellow\n", "Orange Pink\nGrey\n",
           "White application/json\nTrue\n"]  # fmt: skip


def variables(server: LoopbackServer | None) -> dict[str, str]:
    """Return the environment of a run: with a key and a server, or with an address of neither."""
    url = server.base_url if server else "http://127.0.0.1:1/v1"
    keys = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY} if server else {}
    root = url.removesuffix("/v1")
    return {"OPENAI_BASE_URL": url, "ANTHROPIC_BASE_URL": root, "CHATNB_WARM_UP": "0", **keys}


def test_sdks_are_recorded_and_replayed_in_one_command(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    """No cell is added; every call is recorded once, and replayed with neither server nor key,
    whole and streamed, sync and async. One character of a reply that differs is caught."""
    loopback.plays(*SCRIPTS)
    notebook = write_notebook(tmp_path / "sdks.ipynb", *CELLS)
    ran = run_pytest(
        tmp_path, "--chatnb", "--chatnb-record", ".", imported=CLIENTS, **variables(loopback)
    )
    assert ran.code == 0, ran.said
    assert len(loopback.exchanges) == len(SCRIPTS)
    cells = json.loads(notebook.read_text())["cells"]
    assert ["".join(o["text"]) for cell in cells for o in cell["outputs"]] == PRINTED[1:]
    cassette = tmp_path / "cassettes" / "sdks.yaml"
    assert cassette.read_text().count("- request:") == len(SCRIPTS)
    assert KEY not in cassette.read_text()
    edit(cassette, "Blue, at once.", "Blue, at 0nce.")
    edit(cassette, "Pink", "P1nk")
    ran = run_pytest(tmp_path, "--chatnb", ".", imported=CLIENTS, **variables(None))
    assert "2 failed, 5 passed" in ran.said
    for line in ("+ Blue, at 0nce.", "- Orange Pink", "+ Orange P1nk"):
        assert line in ran.said.splitlines()


def test_a_replay_refuses_the_network_and_names_cell_and_address(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    """Of a changed prompt, of sockets, of a loopback that is not allowed; the message comes
    first, no frame of a library is shown, and a key in the environment helps nothing."""
    loopback.plays(whole("Blue."), whole("Red."))
    sockets = "import os, socket\nsocket.create_connection(('127.0.0.1', int(os.environ['PORT'])))"
    notebook = write_notebook(tmp_path / "asks.ipynb", CLIENT, ASK, f"{sockets}.close()")
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    given = {**variables(loopback), "PORT": str(port)}
    assert (
        run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".", imported=CLIENTS, **given).code
        == 0
    )
    edit(notebook, "Name a colour.", "Name a city.")
    ran = run_pytest(tmp_path, "--chatnb", ".", imported=CLIENTS, **given)
    assert "2 failed, 1 passed" in ran.said
    lines = ran.said.splitlines()
    first = lines.index("asks.ipynb, code cell 1:")
    assert lines[first + 3].startswith("The cell failed:")
    assert lines[first + 4].startswith("NetworkRefused: cassettes/asks.yaml has no reply to this")
    assert {"-     content: Name a colour.", "+     content: Name a city."} <= set(lines)
    assert "To record what is missing: pytest --chatnb --chatnb-record asks.ipynb" in lines
    assert f"NetworkRefused: 127.0.0.1:{port} was called." in ran.said
    assert "--chatnb-allow-hosts=127.0.0.1" in ran.said
    assert "site-packages" not in ran.said
    assert len(loopback.exchanges) == 1
    edit(notebook, "Name a city.", "Name a colour.")
    allowed = f"--chatnb-allow-hosts=other.example, localhost:{port}"
    ran = run_pytest(tmp_path, "--chatnb", allowed, ".", imported=CLIENTS, **given)
    server.close()
    assert ran.code == 0, ran.said


def test_connections_without_a_client_are_recorded(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    """Those of http.client by itself, before any other client, and the JSON of urllib3."""
    loopback.plays(whole("Blue, at once."), whole("Red."))
    write_notebook(
        tmp_path / "bare.ipynb",
        "import http.client, json, os, urllib3\nfrom urllib.parse import urlsplit\n"
        "url = os.environ['OPENAI_BASE_URL'] + '/plain'\n"
        "connection = http.client.HTTPConnection(urlsplit(url).netloc)\n"
        "connection.request('POST', urlsplit(url).path, '{}')\n"
        "json.load(connection.getresponse())['choices'][0]['message']['content']",
        "reply = urllib3.PoolManager().request('POST', url, json={'a': 1}).json()\n"
        "reply['choices'][0]['message']['content']",
    )
    recorded = run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".", **variables(loopback))
    assert recorded.code == 0, recorded.said
    assert "repeat" not in recorded.said
    assert len(loopback.exchanges) == 2
    assert all(text in (tmp_path / "bare.ipynb").read_text() for text in ("Blue, at", "Red."))
    replayed = run_pytest(tmp_path, "--chatnb", ".", **variables(None))
    assert replayed.code == 0, replayed.said


HIDDEN = (
    f"import asyncio, contextlib, threading\n{CLIENT}\nfrom openai import AsyncOpenAI\n"
    "from chatnb import ScriptedChatModel, cassette\n"
    "chat = ScriptedChatModel(['Blue.'])\nprompt = 'Name a colour.'",
    "with contextlib.suppress(Exception):\n    chat.invoke(prompt)\nprint('asked')",
    "len(chat.batch([prompt], return_exceptions=True))",
    "def ask():\n    with contextlib.suppress(BaseException):\n"
    "        client.chat.completions.create(model='m', messages=messages)\n"
    "thread = threading.Thread(target=ask)\nthread.start()\nthread.join()\nprint('asked')",
    "asked = AsyncOpenAI().chat.completions.create(model='n', messages=messages)\n"
    "len(await asyncio.gather(asked, return_exceptions=True))",
    # The notebook's own cassette is its own matter.
    "with cassette('own.yaml') as own, contextlib.suppress(Exception):\n"
    "    chat.invoke('Hello' if own.mode == 'record' else 'Good day')\nprint('asked')",
)


def test_a_request_without_a_reply_fails_the_cell_that_hides_it(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    """Code that catches the error, or leaves it in a result or a thread, shows the same outputs for
    another prompt; the miss is named nevertheless, also where there is no cassette at all."""
    loopback.plays(whole("Blue."), whole("Red."))
    notebook = write_notebook(tmp_path / "hides.ipynb", *HIDDEN)
    given = variables(loopback)

    def run(*options: str) -> Ran:
        return run_pytest(tmp_path, "--chatnb", *options, imported=CLIENTS, **given)

    ran = run("--chatnb-record", ".")
    assert ran.code == 0, ran.said
    assert "code cell" not in ran.said
    assert run(".").code == 0
    edit(notebook, "Name a colour.", "Name a city.")
    ran = run(".")
    assert "4 failed, 2 passed" in ran.said, ran.said
    lines = ran.said.splitlines()
    for cell in range(1, 5):
        start = lines.index(f"hides.ipynb, code cell {cell}:")
        end = lines.index("The code of the cell has caught this error.", start)
        found = "\n".join(lines[start:end])
        assert "Error: cassettes/hides.yaml has no reply to this request." in found
        assert "To record what is missing: pytest --chatnb --chatnb-record hides.ipynb" in found
    (tmp_path / "cassettes" / "hides.yaml").unlink()
    ran = run("--chatnb-one-test", ".")
    assert ran.said.count("CassetteError: There is no cassette") >= 4
