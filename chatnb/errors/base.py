"""The base of all errors: their texts, and where the documentation says more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast


class ChatnbError(Exception):
    """The base class of chatnb's errors.

    Args:
        *args: The message.

    Example:
        >>> from chatnb import ChatPromptTemplate
        >>> try:
        ...     ChatPromptTemplate(["Hi {name}"]).invoke({})
        ... except ChatnbError as error:
        ...     print(type(error).__name__, error, sep=": ")
        MissingVariableError: The prompt needs name, and was given nothing
    """

    # Errors quote providers, models and files, and end up on terminals. Subclasses say what they
    # say in `_text`. A section of the documentation is a note, which tracebacks show below.

    section: ClassVar[str] = ""

    def __init__(self, *args: object) -> None:
        Exception.__init__(self, *args)
        if self.section:
            from chatnb.errors.documentation import see_section

            self.add_note(see_section(self.section))

    def __str__(self) -> str:
        return _printable(self._text())

    def _text(self) -> str:
        return Exception.__str__(self)


def error_line(error: BaseException) -> str:
    """Return an error's type and message, as in the last line of a traceback.

    Example:
        >>> error_line(ValueError("no")), error_line(KeyboardInterrupt())
        ('ValueError: no', 'KeyboardInterrupt')
    """
    return ": ".join(filter(None, (type(error).__name__, error_message(error))))


def error_message(error: BaseException) -> str:
    """Return an error's message as text that can be encoded, whatever its `__str__` does.

    Example:
        >>> error_message(ValueError("no"))
        'no'
    """
    try:
        message = str(error)
    except Exception as problem:  # What reports a failure must not fail by it.
        message = f"<no message: {type(problem).__name__} in its __str__>"
    return message.encode("utf-8", "replace").decode()


def error_notes(error: BaseException) -> list[str]:
    """Return an error's notes, which tracebacks show below its message.

    Example:
        >>> error = ValueError("no")
        >>> error.add_note("See the manual.")
        >>> error_notes(error)
        ['See the manual.']
    """
    notes = cast(object, getattr(error, "__notes__", ()))
    if not isinstance(notes, list | tuple):  # Python lets it be anything.
        return []
    kept = cast("Sequence[object]", notes)
    return [note.encode("utf-8", "replace").decode() for note in kept if isinstance(note, str)]


def _printable(text: str) -> str:
    from chatnb.terminal import SafeText  # Not to be loaded by `import chatnb`.

    return str(SafeText(text))


def sentences(message: str, *others: str) -> str:
    """Join a message and what follows it, so that each is a sentence of its own."""
    others = tuple(filter(None, others))
    if others and message and not message.endswith((".", "!", "?", "…", ":")):
        message += "."
    return " ".join(filter(None, (message, *others)))
