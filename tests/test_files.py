"""Files are replaced whole, and those with prompts and replies are for their owner alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatnb import RunLog, ScriptedChatModel, SQLiteCache
from chatnb.conversations import Conversation
from chatnb.files import PRIVATE, replace_text
from chatnb.schema import HumanMessage, RunLogPatch
from chatnb.store import Store
from chatnb.tracing import JSONLHandler

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes.")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_file_as_it_was(
    tmp_path: Path, error: type[BaseException]
) -> None:
    """Nothing is lost, and nothing else is left in the folder."""
    path = tmp_path / "log"
    path.write_text("whole")

    def broken() -> Iterator[str]:
        yield "half"
        raise error

    with pytest.raises(error):
        replace_text(path, broken())
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    """A new file gets the mode that the umask leaves, or a private one."""
    path, link = tmp_path / "file", tmp_path / "link"
    replace_text(path, ["1"])
    assert mode(path) == 0o644
    path.chmod(0o640)
    link.symlink_to(path)
    replace_text(link, ["2"], mode=PRIVATE)
    assert (path.read_text(), mode(path), link.is_symlink()) == ("2", 0o640, True)
    replace_text(tmp_path / "private", ["3"], mode=PRIVATE)
    assert mode(tmp_path / "private") == 0o600


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    """It cannot be replaced by a file: a pipe's reader gets the text."""
    pipe, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    replace_text(pipe, ["one\n", "é"])
    reader.join(60)
    assert got == ["one\né".encode()]
    assert list(tmp_path.iterdir()) == [pipe]
    assert pipe.is_fifo()


def test_a_long_name_can_be_replaced(tmp_path: Path) -> None:
    """The file that is written first has no longer name than a file system takes."""
    path = tmp_path / ("x" * 255)
    replace_text(path, ["1"])
    replace_text(path, ["2"])
    assert path.read_text() == "2"


def test_an_error_of_writing_is_the_one_that_is_raised(tmp_path: Path) -> None:
    """There may be no file to remove: then that is no second error."""
    with pytest.raises(FileNotFoundError) as raised:
        replace_text(tmp_path / "none" / "file", ["1"])
    assert raised.value.__context__ is None


def save_log(path: Path) -> None:
    RunLog(RunLogPatch({"op": "replace", "path": "", "value": {}})).save(path)


def write_jsonl(path: Path) -> None:
    JSONLHandler(path).close()


def run_checkpoint(path: Path) -> None:
    ScriptedChatModel(["Hi"]).batch(["Hi"], checkpoint=path)


def keep_conversation(path: Path) -> None:
    Conversation("x", store=Store(path)).add(HumanMessage("Hi"))


@pytest.mark.parametrize(
    "write", [save_log, write_jsonl, SQLiteCache, run_checkpoint, keep_conversation]
)
def test_files_with_prompts_and_replies_are_private(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    """All of them, with those that SQLite puts beside its own."""
    write(tmp_path / "file")
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
