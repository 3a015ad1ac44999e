"""Submits jobs of a batch API and is killed again and again: a script of its own.

    python killed_jobs.py ADDRESS FOLDER openai|anthropic

Reads lines of its standard input: "attempt" runs a job, or goes on with the one on disk, in a new
process, whose id is in the file `process` while it runs. Prints "killed", or the texts of replies.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chatnb.chat_models import ChatAnthropic, ChatOpenAI
from chatnb.chat_models.batch_jobs.job import BatchJob, saved_jobs
from chatnb.errors import ModelError

PROMPTS = ["a", "b", "c"]


def new_chat(address: str, provider: str) -> Any:
    """Return a chat model of a provider."""
    if provider == "openai":
        return ChatOpenAI("gpt-4o-mini", api_key="k", base_url=address, max_retries=0)
    return ChatAnthropic("claude-haiku-4-5", api_key="k", base_url=address, max_retries=0)


def load_sdk(provider: str) -> None:
    """Load what a job needs, which takes seconds, before the first process is forked."""
    with suppress(ModelError), TemporaryDirectory() as folder:
        new_chat("http://127.0.0.1:9/v1", provider).submit(PROMPTS, folder=folder)


def run_job(address: str, folder: Path, provider: str) -> list[str]:
    """Run a job to its end, and return the texts of its replies."""
    chat = new_chat(address, provider)
    known = saved_jobs(folder)
    if known:
        job = BatchJob.load(known[-1]["id"], chat=chat, folder=folder).resume()
    else:
        job = chat.submit(PROMPTS, folder=folder)
    return [some[0].text for some in job.result(poll=0.01).generations]


def attempt(address: str, folder: Path, provider: str) -> str:
    """Run a job in a process of its own, and return its texts as JSON, or that it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        (folder / "process").write_text(str(os.getpid()))
        os.write(write, json.dumps(run_job(address, folder, provider)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as texts:
        text = texts.read()
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else text


if __name__ == "__main__":
    load_sdk(sys.argv[3])
    for _ in sys.stdin:
        print(attempt(sys.argv[1], Path(sys.argv[2]), sys.argv[3]), flush=True)
