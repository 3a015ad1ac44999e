"""Record, inside a kernel, the files of a package whose functions run between two messages."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType
from typing import Any


class Recorder:
    """Records the files whose functions are called, on every thread.

    Recording starts with the next message that the kernel receives and ends as the kernel sends
    the expected one, so that it holds nothing of the cells around.

    Create it before the package is imported: on Python 3.11 it follows only the threads that
    start afterwards.

    Args:
        folder: The absolute path of the package.
        session: The kernel's Jupyter session, which every message passes.
    """

    def __init__(self, folder: str, session: Any) -> None:
        self._prefix = folder + os.sep
        self._files = set[str]()
        self._is_armed = self._is_recording = False
        self._last = ("", "")
        session.deserialize = self._start_before(session.deserialize)
        session.send = self._stop_before(session.send)
        _call_on_entry(self._on_entry)

    def start(self, message_type: str, text: str) -> None:
        """Record from the next message received to a sent one of this type with this text."""
        self._files, self._is_armed, self._last = set(), True, (message_type, text)

    def files(self) -> list[str]:
        """Return the recorded files, relative to the package.

        Raises:
            RuntimeError: If the expected message has not been sent.
        """
        if self._is_armed or self._is_recording:
            raise RuntimeError(f"the kernel has not sent {self._last} yet")
        return sorted(path.removeprefix(self._prefix) for path in self._files)

    def _on_entry(self, code: CodeType) -> None:
        # The bodies of modules and classes are not optimized: they are imports, not calls.
        is_function = code.co_flags & CO_OPTIMIZED
        if self._is_recording and is_function and code.co_filename.startswith(self._prefix):
            self._files.add(code.co_filename)

    def _start_before(self, deserialize: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self._is_armed:
                self._is_armed, self._is_recording = False, True
            return deserialize(*args, **kwargs)

        return wrapper

    def _stop_before(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(stream: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
            # A message comes whole, or as its type and the rest.
            is_whole = isinstance(message, dict)
            message_type = message["msg_type"] if is_whole else message
            content = message["content"] if is_whole else (args, kwargs)
            if message_type == self._last[0] and self._last[1] in repr(content):
                self._is_recording = False
            return send(stream, message, *args, **kwargs)

        return wrapper


def _call_on_entry(on_entry: Callable[[CodeType], None]) -> None:
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None:
        tool, started = monitoring.PROFILER_ID, monitoring.events.PY_START
        monitoring.use_tool_id(tool, "structure")
        monitoring.register_callback(tool, started, lambda code, _offset: on_entry(code))
        monitoring.set_events(tool, started)
        return

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            on_entry(frame.f_code)

    threading.setprofile(profile)
    sys.setprofile(profile)
