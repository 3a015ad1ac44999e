"""Chains that a type checker refuses, one mistake a line; read by the checker, never run."""

from __future__ import annotations

from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import Runnable


def mistakes(text: Runnable[int, str], number: Runnable[int, int]) -> None:
    text | number  # mistake: a string is no integer
    text | 3  # mistake: an integer does nothing
    text.invoke("a")  # mistake: the input is an integer
    ChatPromptTemplate.from_template("{x}") | StrOutputParser()  # mistake: a prompt is no reply
    ChatPromptTemplate.from_template("{x}").invoke("x")  # mistake: a prompt takes a dict
    text.batch(1)  # mistake: a batch takes a list
    upper: Runnable[int, int] = text  # mistake: the output is a string
    print(upper)
