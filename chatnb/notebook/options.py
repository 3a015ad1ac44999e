"""The options of a %%chat line: declared here, read and checked."""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments

from chatnb.errors.documentation import see_section

F = TypeVar("F", bound=Callable[..., Any])

CELLS, VARIABLES, ERROR, NONE = "cells", "vars", "error", "none"
CONTEXTS = (CELLS, VARIABLES, ERROR)
CONTEXT_TAKES = "cells, a number of cells, vars, error, several of them with commas, or none"

# What an option takes by its metavar, MODEL, CONVERSATION or TYPE, is what Tab completes it with.
_OPTIONS = (
    argument(
        "-m",
        "--model",
        help="The model that replies: PROVIDER:MODEL such as openai:gpt-4o-mini or "
        "local:smollm2, or a variable that holds a chat model, bound or not, a chain, a ToolLoop, "
        "a model of LangChain's, or a function of the messages. Default: OpenAI if OPENAI_API_KEY "
        "is set, else the embedded model.",
    ),
    argument("-s", "--system", help="The system prompt of the conversation."),
    argument("-t", "--temperature", type=float, help="Sampling temperature, 0 to 2."),
    argument("--max-tokens", type=int, help="The maximum number of tokens of the reply."),
    argument(
        "-c",
        "--conversation",
        help="The conversation to continue, by any name you like; one name is one conversation, "
        "in every notebook and on every day. Default: main, this notebook's own, which starts "
        "again with the kernel.",
    ),
    argument(
        "--file",
        metavar="FILE",
        action="append",
        help="A picture, a PDF file or a text file that goes along; may be given several times.",
    ),
    argument(
        "--context",
        metavar="CONTEXT",
        help="What the prompt takes along: cells (those that ran before, with their outputs), a "
        "number (the last ones), vars (names, types, shapes, first rows), error, or none. Several "
        "with commas.",
    ),
    argument("-o", "--output", metavar="VARIABLE", help="A variable for the reply."),
    argument("--log", action="store_true", help="Show the tree of the runs under the reply."),
    argument("--code", action="store_true", help="Put the reply's code into a new cell below."),
    argument("--schema", metavar="TYPE", help="A variable with the type of the reply."),
    argument(
        "--tools",
        metavar="TOOL,TOOL",
        help="Variables with tools that the model may call: functions, tools, lists of them, and "
        "MCP servers. Each call is asked about, unless --approve says otherwise.",
    ),
    argument(
        "--approve",
        metavar="POLICY",
        help="The calls that are allowed: all, none, ask (the default), or a variable with a "
        "function of the call. Where a program runs the notebook, ask rejects them.",
    ),
    argument(
        "--compare",
        metavar="MODEL,MODEL",
        help="Send the prompt to several models, or whatever else -m takes, and show their "
        "replies side by side.",
    ),
    argument(
        "--expect",
        metavar="TEXT",
        help="A text that the reply has to contain, in upper or lower case; or a regular "
        'expression between slashes, in quotes: "/[0-9]+/". Otherwise the cell fails.',
    ),
    argument(
        "--expect-schema",
        metavar="TYPE",
        help="A variable with a type, such as a Pydantic model, that the reply's JSON has to fit.",
    ),
)
# As in a shell, but for apostrophes within words and for the backslashes of Windows' paths.
_WORD_PART = re.compile(
    r"""
      (?P<space>\s+) | (?P<plain> [^\s"'\\]+ | (?<=\w)'(?=\w) )
    | \\(?P<escaped>[\s"'\\]) | (?P<backslash>\\)
    | "(?P<double> (?:\\.|[^"\\])* )" | '(?P<single> (?:[^']|(?<=\w)'(?=\w))* )'
    """,
    re.VERBOSE | re.DOTALL,
)
_EXCLUSIVE = {
    "compare": ("model", "code", "schema", "log", "tools", "expect", "expect_schema"),
    "schema": ("code", "tools"),
}


def parse_context(typed: str) -> str:
    """Return what a context is made of, as it was typed; raise a ValueError for anything else."""
    for word in typed.split(","):
        is_number = word.isascii() and word.isdigit() and int(word) > 0
        if word not in CONTEXTS and not is_number:
            raise ValueError(f"a context is {CONTEXT_TAKES}, not {typed!r}")
    return typed


def split_words(line: str) -> list[str]:
    """Split a line at its spaces, except for those in quotes; raise a ValueError if one is open."""
    words, word, end = list[str](), None, 0
    while found := _WORD_PART.match(line, end):
        end = found.end()
        if found["space"]:
            words += [] if word is None else [word]
            word = None
            continue
        double = re.sub(r"\\([\"\\])", r"\1", found["double"] or "")
        parts = found.group("plain", "escaped", "backslash", "single")
        word = "".join(filter(None, (word, double, *parts)))
    if end < len(line):
        raise ValueError("No closing quotation")
    return words if word is None else [*words, word]


def cell_options(magic: F) -> F:
    """Give a magic the parser and the documentation of the options."""
    for option in reversed(_OPTIONS):
        magic = option(magic)
    described = magic_arguments()(magic)
    # IPython's `?` asks for it first, and the address takes a while to be found.
    described.getdoc = lambda: _help_text(inspect.getdoc(described) or "")
    return described


def _help_text(text: str) -> str:
    """Return what `%%chat?` shows: the usage without its reStructuredText, and the address."""
    text = text.replace("::\n\n  %chat ", "%%chat ", 1).replace(f"\n{' ' * 12}[", f"\n{' ' * 7}[")
    return f"{text}\n\n{see_section('cell')}"


class CellOptions:
    """Reads the first line of a cell."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self.actions = [action for action in parser._actions if action.option_strings]
        self.long = [action.option_strings[-1] for action in self.actions]

    def read(self, line: str) -> argparse.Namespace:
        """Parse a line."""
        try:
            options = self._parser.parse_args(split_words(line))
        except (UsageError, ValueError) as error:
            names = ", ".join("/".join(action.option_strings) for action in self.actions)
            raise UsageError(
                f"%%chat: {error}{self._suggestion(line)}.{_hint(line, str(error))} "
                f"The options are {names}; %%chat? explains them."
            ) from None
        if options.output is not None and not options.output.isidentifier():
            raise UsageError(f"%%chat -o takes the name of a variable, not {options.output!r}.")
        _check_exclusive(options)
        return options

    def _suggestion(self, line: str) -> str:
        typed = [word.partition("=")[0] for word in line.split() if word.startswith("-")]
        for word in typed:
            close = difflib.get_close_matches(word, self.long, n=1)
            if word not in self.long and len(word) > 2 and close:
                return f" (did you mean {close[0]}?)"
        return ""


def _hint(line: str, error: str) -> str:
    from chatnb.notebook.jupyter_ai import option_hint

    return option_hint(line.split(), error)


def _check_exclusive(options: argparse.Namespace) -> None:
    for one, others in _EXCLUSIVE.items():
        also = [other for other in others if getattr(options, one) and getattr(options, other)]
        if also:
            name = also[0].replace("_", "-")
            raise UsageError(f"%%chat takes --{one} or --{name}, not both.")
