"""The examples of LangChain's page on chat models run line by line and print the same shapes.

`page_examples.md` has the page's calls with prompts and replies of our own. The page itself is not
ours and no part of it is copied here; where it lies beside the clone, it runs as well.
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

from tests.support.loopback import Exchange, LoopbackServer, delta, event, head

EXAMPLES = Path(__file__).parent / "page_examples.md"
PAGE = Path(__file__).parents[2] / "shared" / "seed" / "chat_models_page.md"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONTENT = re.compile(r"AIMessage\(content=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
PROMPT = re.compile(r'HumanMessage\(content="(.*?)"\)')
TOKENS = [(26, 9), (27, 9)]
CHUNK = re.compile(CONTENT.pattern.replace("AIMessage", "'value': AIMessageChunk"))


class Step(NamedTuple):
    """A block of code, and the output shown for it."""

    code: str
    prints: str


def steps(page: Path) -> list[Step]:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = list[Step]()
    for number, (language, code) in enumerate(blocks):
        follows = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
        if language == "python":
            prints = follows[1] if follows[0] == "text" else ""
            found.append(Step(code.replace("langchain", "chatnb"), prints))
    return found


def replies_in(prints: str) -> list[str]:
    """The replies of the model for the page to print this; of a log, its chunks."""
    chunks = [ast.literal_eval(literal) for literal in CHUNK.findall(prints)]
    if chunks:
        return chunks
    replies = [ast.literal_eval(literal) for literal in CONTENT.findall(prints)]
    return replies or [prints.strip()]


def answering(step: Step) -> Any:
    """A script that gives the replies of a step, streamed on request; with several prompts, the
    reply of each, in whichever order they come."""
    replies, prompts = replies_in(step.prints), PROMPT.findall(step.code)

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        prompt = exchange.body["messages"][-1]["content"]
        index = prompts.index(prompt) if len(prompts) > 1 else 0
        if exchange.body.get("stream"):
            is_log = len(replies) > 1
            chunks = replies if is_log else ["", *re.findall(r"\s*\S+", replies[0]), ""]
            yield head()
            for chunk in chunks[:-1]:
                yield delta(chunk)
            yield delta(chunks[-1], "stop") + event("[DONE]")
            return
        tokens = TOKENS[index]
        counts = dict(zip(("prompt_tokens", "completion_tokens"), tokens, strict=True))
        message = {"role": "assistant", "content": replies[index]}
        body = {
            "model": "gpt-3.5-turbo",
            "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {**counts, "total_tokens": sum(tokens)},
        }
        yield head(kind="application/json") + json.dumps(body).encode()

    return script


def as_shown(text: str) -> str:
    """Text without ids, and without the white space that the page has lost."""
    return UUID.sub("ID", " ".join(text.split()))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(EXAMPLES, id="our examples"),
        pytest.param(
            PAGE,
            id="the page itself",
            marks=pytest.mark.skipif(
                not PAGE.is_file(),
                reason="the page is not part of this repository; our examples make the same calls",
            ),
        ),
    ],
)
def test_every_block_prints_what_the_page_shows(
    page: Path,
    bare_shell: InteractiveShell,
    loopback: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With `langchain` replaced by `chatnb`, each block runs in a notebook's shell, top-level await
    included, and prints the text below it, ids and white space aside."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-loopback")
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.base_url)
    compared = 0
    for step in steps(page):
        if step.prints:
            loopback.plays(answering(step))
        ran = bare_shell.run_cell(step.code)
        ran.raise_error()
        printed = capsys.readouterr().out
        shown = printed if printed and "print(" in step.code else repr(ran.result)
        if step.prints:
            compared += 1
            assert as_shown(shown) == as_shown(step.prints), step.code
    assert compared == 10
