"""Scripts that end while streams are half-read."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The globals of a script outlive the names of the modules that it uses, if one of them holds
# `__main__`, as those of IPython do.
SCRIPT = """
import sys
sys.holder = sys.modules["__main__"]
from chatnb import AIMessage, LoggingHandler, ScriptedChatModel, StrOutputParser, ToolLoop, tool
from chatnb.output_parsers import JsonOutputParser
from chatnb.runnables import RunnableGenerator, RunnableParallel, RunnablePassthrough

@tool
def weather(city: str) -> str:
    "Tell the weather."
    return "sun"

def chat(*replies):
    return ScriptedChatModel(list(replies or ["one two three"]))

def pass_on(chunks):
    yield from chunks

call = {"name": "weather", "args": {"city": "Paris"}, "id": "1", "type": "tool_call"}
numbers = '{"a": 1, "b": [1, 2]}'
schema = {"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}}
streams = [
    chat().stream("x"),
    (chat() | StrOutputParser()).stream("x"),
    (chat() | StrOutputParser()).stream("x", {"deadline": 60}),
    (chat() | StrOutputParser()).stream_log("x"),
    (chat(numbers) | JsonOutputParser()).stream("x"),
    chat().with_fallbacks([chat()]).stream("x"),
    chat().with_retry().stream("x"),
    chat().with_listeners(on_end=print).stream("x"),
    chat().stream("x", {"callbacks": [LoggingHandler()]}),
    chat().stream("x", stop=["z"]),
    chat(numbers).with_structured_output(schema).stream("x"),
    RunnableGenerator(pass_on).transform(iter("abc")),
    RunnableParallel(a=chat(), b=chat()).stream("x"),
    RunnablePassthrough.assign(a=lambda _: chat()).stream({"x": 1}),
    ToolLoop(chat(AIMessage("Wait.", tool_calls=[call]), "Sun."), [weather]).stream("x"),
    chat("a", "b", "c").batch_as_completed(["x"] * 3, progress=False),
    chat("a", "b", "c").batch_as_completed(iter("xyz"), progress=False),
]
for stream in streams:
    next(iter(stream))
print(len(streams), "streams")
"""


@pytest.mark.process
def test_a_script_ends_silently_with_streams_that_are_half_read() -> None:
    """Their ends need names that Python takes from modules as it exits."""
    command = [sys.executable, "-c", SCRIPT]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "17 streams\n"
