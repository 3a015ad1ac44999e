"""The names of jupyter-ai's `%ai` and `%%ai`: suggestions for its lines, and its variable `Err`."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from IPython.core.error import UsageError

_BEFORE = "chatnb_error_before"
_MODELS = {
    "chatgpt": "openai",
    "gpt3": "openai",
    "gpt4": "openai",
    "claude": "anthropic",
    "gemini": "gemini:MODEL",
    "ollama": "ollama:MODEL",
}
_COMMANDS = {
    "reset": "%chat new",
    "clear": "%chat new",
    "error": "%chat explain",
    "fix": "%chat fix",
    "list": "%chat models",
    "ask": "%%chat",
}
_IN_VARIABLES = ("register", "update", "delete", "alias", "dealias")
_FORMATS = {
    "code": "Write --code, which puts the reply's code into a new cell.",
    "json": "Write --schema TYPE, which makes `_reply` an object of a type.",
    "text": "`_reply.text` is the reply's text.",
}
_SHOWN = "Leave it out: replies are shown as Markdown, with formulas and code."
_OPTIONS = {
    ("-p", "--parameters", "--model-parameters"): "Write -t TEMPERATURE and --max-tokens NUMBER.",
    ("-a", "--api-key-name"): "Set the provider's variable; %chat models names it.",
    ("-r", "--region-name"): "Set AWS_REGION.",
    ("-q", "--request-schema"): "Make a model in Python, and name its variable: -m VARIABLE.",
}
_MODEL_NAME = re.compile(r"(?P<provider>[a-z][\w-]*?)(?:-chat)?:(?P<model>\S+)")


def command_hint(word: str) -> str:
    """Return what to write instead of a line of `%ai`, or nothing."""
    if word in _COMMANDS:
        return f" Write {_COMMANDS[word]}."
    if word in _IN_VARIABLES:
        return " A name for a model is a variable: write name = init_chat_model(...) in a cell."
    model = _model(word)
    return f" Write %chat use {model}." if model else ""


def option_hint(words: Sequence[str], unknown: str) -> str:
    """Return what to write instead of the unknown parts of a `%%ai` line, or nothing."""
    hints = list[str]()
    first = words[0] if words else "-"
    if not first.startswith("-") and first in unknown:
        model = f" The model is an option: write %%chat -m {_model(first) or first}."
        hints.append(command_hint(first) if first in _COMMANDS else model)
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in ("-f", "--format"):
            format_ = value or next(iter(words[position + 1 :]), "")
            hints.append(f" {_FORMATS.get(format_, _SHOWN)}")
        found = (hint for names, hint in _OPTIONS.items() if name in names and name in unknown)
        hints += [f" {hint}" for hint in found]
    return "".join(hints)


def _model(word: str) -> str:
    """Return chatnb's name of a model of jupyter-ai, or nothing."""
    if found := _MODEL_NAME.fullmatch(word):
        return f"{found['provider']}:{found['model']}"
    return _MODELS.get(word.lower(), "")


def ai(line: str, cell: str | None = None) -> None:
    """Refuse a line or cell of `%ai`, with what to write instead."""
    words = line.split()
    hint = command_hint(words[0]) if cell is None and words else option_hint(words, line)
    name = "%ai" if cell is None else "%%ai"
    raise usage_error(f"{name} is jupyter-ai's.{hint or ' Write %%chat, and %chat lists more.'}")


def register_ai(shell: Any) -> None:
    """Have a shell tell users of jupyter-ai what to write, unless that is loaded."""
    if not shell.find_magic("ai"):
        shell.register_magic_function(ai, "line_cell", "ai")


class LastError:
    """The last error of a cell as a prompt has it: its traceback without values and secrets."""

    def __init__(self, shell: Any, error: BaseException) -> None:
        self._shell = shell
        self._error = error

    def __str__(self) -> str:
        from chatnb.notebook.cell.failed_cell import failed_cell  # Few notebooks need it.

        return failed_cell(self._shell, self._error).redacted_traceback

    def __getitem__(self, number: int) -> LastError:
        from chatnb.notebook.cell.failed_cell import cell_number

        failed = cell_number(self._shell, self._error)
        if number not in (failed, -1):
            where = "" if failed is None else f", of cell {failed}"
            raise LookupError(f"only the last error is kept{where}")
        return self


def prompt_variables(shell: Any) -> Mapping[str, Any]:
    """Return the variables of prompts: those of the notebook, and `Err` once a cell has failed."""
    error = _cell_error()
    if error is None:
        return shell.user_ns
    return ChainMap(shell.user_ns, {"Err": LastError(shell, error)})


def usage_error(text: str) -> UsageError:
    """Return the error of a line that was mistyped, after which `Err` is still the one before."""
    error = UsageError(text)
    vars(error)[_BEFORE] = _cell_error()
    return error


def _cell_error() -> BaseException | None:
    from chatnb.notebook.cell.failed_cell import last_error

    error = last_error()
    return vars(error).get(_BEFORE) if isinstance(error, UsageError) else error
