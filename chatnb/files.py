"""Files that are replaced whole, and files that only their owner may read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

PRIVATE = 0o600
"""The mode of files with prompts and replies."""
SHARED = 0o666
"""The mode of other files, of which the umask takes away."""


def replace_text(path: Path, texts: Iterable[str], *, mode: int = SHARED) -> None:
    """Replace the text of a file at once: no reader, and no crash, leaves a part of it.

    Args:
        path: The file. A link stays, and the file that it leads to is replaced.
        texts: The text, in parts.
        mode: The mode of a file that is new; one that exists keeps its own.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():  # A device or a pipe.
        with target.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(texts)
        return
    temporary = target.with_name(f".{target.name[:100]}.{uuid4().hex}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(
            os.open(temporary, flags, mode), "w", encoding="utf-8", newline="\n"
        ) as file:
            file.writelines(texts)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def open_private(path: str, flags: int) -> int:
    """Open a file as `open(opener=open_private)` does; a new one only its owner may read."""
    return os.open(path, flags, PRIVATE)


def create_private(path: str | os.PathLike[str]) -> None:
    """Create an empty file that only its owner may read, unless there is one."""
    # One that exists is not opened: closing it would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))


def make_private(file: Path, beside: Iterable[str] = ()) -> None:
    """Let only its owner read a file, and those beside it with these ends of their names."""
    target = os.path.realpath(file)
    for end in ("", *beside):
        path = Path(target + end)
        with suppress(FileNotFoundError):
            if path.stat().st_mode & 0o077:
                path.chmod(PRIVATE)
