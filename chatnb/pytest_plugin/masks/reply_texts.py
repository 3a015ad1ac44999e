"""The texts of the replies in a cassette."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from chatnb.cassettes.yaml_file import parse_cassette

# The fields of server-sent events whose texts, joined, are a reply.
_DELTA = re.compile(r'"(?:content|text|arguments|partial_json|delta)" ?: ?("(?:[^"\\]|\\.)*")')


def reply_texts(path: Path) -> str:
    """Return all texts of the recorded replies, one after the other.

    Raises:
        CassetteError: If the file is damaged.
        OSError: If it cannot be read.
    """
    contents = parse_cassette(path.read_text(encoding="utf-8"), str(path))
    answers = ({**call, "request": None} for call in contents.calls)
    return "\n".join(text for answer in answers for text in _texts(answer))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in plain data, and those that come in the pieces of a stream."""
    if isinstance(value, str):
        yield value
        yield "".join(json.loads(quoted) for quoted in _DELTA.findall(value))
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)
    elif isinstance(value, int | float):
        yield str(value)
