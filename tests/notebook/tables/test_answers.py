from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pydantic import BaseModel

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register


class Person(BaseModel):
    name: str
    age: int


class Town(BaseModel):
    name: str
    people: list[Person] = []
    mayor: Person | None = None
    tags: list[str] = []


class Flag(BaseModel):
    colour: str

    def _repr_html_(self) -> str:
        return f"<i>{self.colour}</i>"


class Badge(BaseModel):
    word: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.word}


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    return bare_shell


def shown(shell: InteractiveShell, value: Any) -> dict[str, str]:
    bundle, _ = shell.display_formatter.format(value)  # type: ignore[union-attr]
    return bundle


def answered(value: BaseModel) -> Any:
    chat = ScriptedChatModel([value.model_dump_json()])
    return chat.with_structured_output(type(value)).invoke("Hi")


def test_an_answer_is_shown_as_a_table(shell: InteractiveShell) -> None:
    """HTML with tables within it, Markdown with a row a value, and the repr as plain text."""
    ann, bo = Person(name="Ann", age=7), Person(name="Bo", age=8)
    town = answered(Town(name="Oslo", people=[ann, bo], mayor=bo, tags=["old", "wet"]))
    bundle = shown(shell, town)
    assert bundle["text/plain"] == repr(town)
    page = bundle["text/html"]
    assert page.startswith('<div class="tex2jax_ignore mathjax_ignore"><table>')
    assert "<th>name</th><td>Oslo</td>" in page
    assert "<thead><tr><th>name</th><th>age</th></tr></thead>" in page
    assert "<tr><td>Ann</td><td>7</td></tr><tr><td>Bo</td><td>8</td></tr>" in page
    assert "<li>old</li><li>wet</li>" in page
    assert re.findall('style="[^"]*"', page) == ['style="text-align: left"']
    assert bundle["text/markdown"].splitlines() == [
        "| Town | |",
        "| --- | --- |",
        "| name | Oslo |",
        r"| people&#91;0\].name | Ann |",
        r"| people&#91;0\].age | 7 |",
        r"| people&#91;1\].name | Bo |",
        r"| people&#91;1\].age | 8 |",
        "| mayor.name | Bo |",
        "| mayor.age | 8 |",
        "| tags | old, wet |",
    ]


def test_what_a_model_writes_does_not_act(shell: InteractiveShell) -> None:
    """Tags, images, cell borders, line breaks and formulas are shown as the text they are."""
    hostile = "<img src=x onerror=alert(1)> | ![i](https://t.test/i.png)\n$x$ &amp; `c`"
    bundle = shown(shell, answered(Person(name=hostile, age=1)))
    page, markdown = bundle["text/html"], bundle["text/markdown"]
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "&amp;amp;" in page
    assert 'class="tex2jax_ignore' in page
    [row] = [line for line in markdown.splitlines() if line.startswith("| name")]
    assert "<img" not in row
    assert row.replace(r"\|", "").count("|") == 3
    assert r"\!&#91;i\]" in row
    assert r"<span>\$</span>x<span>\$</span> \&amp; \`c\`" in row


def test_partial_answers_are_shown_too(shell: InteractiveShell) -> None:
    """Fields that have not come yet are None in the table, without a warning."""
    chat = ScriptedChatModel([['{"name": "An', 'n", "age": 7}']]).with_structured_output(Person)
    first, *_ = chat.stream("Hi")
    assert "<tr><th>age</th><td>None</td></tr>" in shown(shell, first)["text/html"]


def test_models_that_were_not_asked_for_stay_as_they_are(shell: InteractiveShell) -> None:
    """Loading chatnb does not change how a notebook shows the user's other objects."""

    class Own(BaseModel):
        name: str

    assert list(shown(shell, Own(name="x"))) == ["text/plain"]


def test_models_that_show_themselves_go_on_doing_so(shell: InteractiveShell) -> None:
    """Their own display wins, of answers as well."""
    flag = answered(Flag(colour="red"))
    assert shown(shell, flag) == {"text/plain": repr(flag), "text/html": "<i>red</i>"}
    assert shown(shell, answered(Badge(word="hi"))) == {"text/plain": "hi"}


@pytest.mark.process
def test_loading_the_extension_does_not_load_pydantic() -> None:
    """The formatter waits for it."""
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as Shell\n"
        "import chatnb; chatnb.load_ipython_extension(Shell())\n"
        "print('pydantic' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout == "False\n"
