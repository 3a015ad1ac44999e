"""The options of a %%chat line, as its parser declares them: read, checked, and guessed at."""

from __future__ import annotations

import argparse
import difflib
import shlex

from IPython.core.error import UsageError

_NOT_TOGETHER = {
    "compare": ("model", "code", "schema", "log", "expect", "expect_schema"),
    "schema": ("code",),
}


class CellOptions:
    """Reads the first line of a cell.

    Args:
        parser: The parser, with all the options.

    Example:
        >>> parser = argparse.ArgumentParser(add_help=False)
        >>> _ = parser.add_argument("-m", "--model")
        >>> CellOptions(parser).long
        ['--model']
    """

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self.actions = [action for action in parser._actions if action.option_strings]
        self.long = [action.option_strings[-1] for action in self.actions]

    def read(self, line: str) -> argparse.Namespace:
        """What a line says.

        Raises:
            UsageError: If it is none that the parser takes, with what was likely meant.
        """
        try:
            options = self._parser.parse_args(shlex.split(line))
        except (UsageError, ValueError) as error:
            raise UsageError(f"%%chat: {error}{self._meant(line)}. {self._listed()}") from None
        if options.output is not None and not options.output.isidentifier():
            raise UsageError(f"%%chat -o takes the name of a variable, not {options.output!r}.")
        _refuse_together(options)
        return options

    def _listed(self) -> str:
        names = ", ".join("/".join(action.option_strings) for action in self.actions)
        return f"The options are {names}; %%chat? explains them."

    def _meant(self, line: str) -> str:
        """A guess at the option that was mistyped."""
        typed = [word.partition("=")[0] for word in line.split() if word.startswith("-")]
        for word in typed:
            close = difflib.get_close_matches(word, self.long, n=1)
            if word not in self.long and len(word) > 2 and close:
                return f" (did you mean {close[0]}?)"
        return ""


def _refuse_together(options: argparse.Namespace) -> None:
    """Options that ask for different things."""
    for one, others in _NOT_TOGETHER.items():
        also = [other for other in others if getattr(options, one) and getattr(options, other)]
        if also:
            name = also[0].replace("_", "-")
            raise UsageError(f"%%chat takes --{one} or --{name}, not both.")
