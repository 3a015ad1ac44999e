"""The page that this library implements, run line by line where it is at hand.

The page is not ours and no part of it is copied here: its code, its prints and the replies that a
loopback server gives are read from it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.loopback import Exchange, LoopbackServer, delta, event, head

PAGE = Path(__file__).parents[2] / "shared" / "seed" / "chat_models_page.md"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONTENT = re.compile(r"AIMessage\(content=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
CHUNK = re.compile(CONTENT.pattern.replace("AIMessage", "'value': AIMessageChunk"))


class Step(NamedTuple):
    """A block of code, and what the page shows that it prints."""

    code: str
    prints: str


def steps() -> list[Step]:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = list[Step]()
    for number, (kind, code) in enumerate(blocks):
        follows = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
        if kind == "python":
            prints = follows[1] if follows[0] == "text" else ""
            found.append(Step(code.replace("langchain", "chatnb"), prints))
    return found


def replies_in(prints: str) -> list[str]:
    """What the model said to make the page print this; in a log, chunk by chunk."""
    chunks = [ast.literal_eval(literal) for literal in CHUNK.findall(prints)]
    if chunks:
        return chunks
    said = [ast.literal_eval(literal) for literal in CONTENT.findall(prints)]
    return said or [prints.strip()]


def answering(replies: list[str]) -> Any:
    """A script that gives the page's replies, streamed where that is asked for; the second one to
    the second of the page's prompts, in whichever order they come."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        asked = exchange.body["messages"][-1]["content"]
        text = replies[-1] if "intelligence" in asked else replies[0]
        if exchange.body.get("stream"):
            several = len(replies) > 2
            chunks = replies if several else ["", *re.findall(r"\s*\S+", text), ""]
            yield head()
            for chunk in chunks[:-1]:
                yield delta(chunk)
            yield delta(chunks[-1], "stop") + event("[DONE]")
            return
        tokens = (27, 9) if "intelligence" in asked else (26, 9)
        counts = dict(zip(("prompt_tokens", "completion_tokens"), tokens, strict=True))
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        body = {
            "model": "gpt-3.5-turbo",
            "choices": [choice],
            "usage": {**counts, "total_tokens": sum(tokens)},
        }
        yield head(kind="application/json") + json.dumps(body).encode()

    return script


def as_shown(text: str) -> str:
    """Text without what may differ: ids, and the white space that the page has lost."""
    return UUID.sub("ID", " ".join(text.split()))


@pytest.mark.skipif(not PAGE.is_file(), reason="the page is not beside this clone")
def test_every_block_of_the_page_prints_what_the_page_prints(
    bare_shell: InteractiveShell,
    loopback: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With `langchain` replaced by `chatnb`, each block of the page runs in a notebook's shell,
    top-level await included, and prints the page's text, ids and white space aside."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-loopback")
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.base_url)
    loopback.plays(answering([""]))
    compared = 0
    for step in steps():
        if step.prints:
            loopback.plays(answering(replies_in(step.prints)))
        ran = bare_shell.run_cell(step.code)
        ran.raise_error()
        printed = capsys.readouterr().out
        shown = printed if printed and "print(" in step.code else repr(ran.result)
        if step.prints:
            compared += 1
            assert as_shown(shown) == as_shown(step.prints), step.code
    assert compared == 10
