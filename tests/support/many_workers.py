"""Functions and models that tests run in other processes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from chatnb.chat_models import BaseChatModel
from chatnb.errors import RateLimitError
from chatnb.schema import AIMessage, BaseMessage


def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


class Unreadable:
    """An input whose pickle cannot be read."""

    def __reduce__(self) -> tuple[object, ...]:
        return _fail, ()


def _fail() -> None:
    raise LookupError("This worker has no such thing.")


def process_id(number: int) -> int:
    time.sleep(0.02)  # So that one worker does not do all.
    return os.getpid()


def unportable(number: int) -> Any:
    return (iter([number]) for _ in ()) if number else number


class OddError(Exception):
    """An error whose pickle cannot be read."""

    def __init__(self, number: int, *, reason: str) -> None:
        super().__init__(f"{number}: {reason}")


def oddly(number: int) -> int:
    raise OddError(number, reason="odd")


class Logged(BaseChatModel):
    """A model that notes its calls in a file, and does what its prompts say."""

    model_name = "logged"
    _not_in_cache_key = BaseChatModel._not_in_cache_key | {"log"}

    def __init__(self, log: Path) -> None:
        self.log = log

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        prompt = messages[-1].text
        earlier = self.log.read_text().splitlines() if self.log.exists() else []
        with self.log.open("a") as log:
            log.write(f"{prompt}\n")
        if prompt.startswith("die") and earlier.count(prompt) < int(prompt.split()[1]):
            time.sleep(0.2)  # Until the others have been answered.
            os._exit(1)
        if prompt.startswith("limit") and prompt not in earlier:
            error = RateLimitError("Too many requests.")
            error.retry_after = 0.05
            raise error
        if prompt.startswith("slow"):
            time.sleep(0.05)
        if prompt.startswith("wait"):
            time.sleep(60)
        usage: Any = {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3}
        return AIMessage(f"reply to {prompt}", usage_metadata=usage)
