"""`chatnb.nested_asyncio()` where there is nothing to do, and where it must not be done."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import chatnb
from chatnb.errors import ConfigurationError, MissingRuntimeError


class OtherLoop(asyncio.AbstractEventLoop):
    """An event loop that is not asyncio's own, as uvloop's is not; it runs nothing."""


OtherLoop.__module__ = "uvloop.loop"


def test_where_no_loop_runs_there_is_nothing_to_do() -> None:
    """asyncio.run works as it is, and asyncio is left as it is."""
    run = asyncio.run
    chatnb.nested_asyncio()
    assert asyncio.run is run


def test_a_loop_of_another_library_is_refused() -> None:
    """The error names it, and nothing has been changed."""
    run = asyncio.run
    asyncio.events._set_running_loop(OtherLoop())
    try:
        with pytest.raises(ConfigurationError, match="cannot change uvloop's OtherLoop"):
            chatnb.nested_asyncio()
    finally:
        asyncio.events._set_running_loop(None)
    assert asyncio.run is run


def test_importing_chatnb_changes_nothing() -> None:
    """It is done only for those who call it."""
    assert not hasattr(asyncio, "_nest_patched")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a package nest-asyncio2 of another version than the installed one."""
    monkeypatch.delitem(sys.modules, "nest_asyncio2", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("nest_asyncio2", None)


def install(folder: Path, version: str) -> None:
    info = folder / f"nest_asyncio2-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: nest-asyncio2\nVersion: {version}\n"
    )
    (folder / "nest_asyncio2.py").write_text("applied = []\napply = applied.append\n")


async def nest() -> asyncio.AbstractEventLoop:
    chatnb.nested_asyncio()
    return asyncio.get_running_loop()


@pytest.mark.parametrize("version", ["1.7.3", "1.7.10", "1.8.0", "2.0.0"])
def test_nest_asyncio2_is_applied_to_the_loop_that_runs(package: Path, version: str) -> None:
    """From the first version on that loses no cells."""
    install(package, version)
    loop = asyncio.run(nest())
    import nest_asyncio2

    assert nest_asyncio2.applied == [loop]  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", ["1.7.2", "1.6.9", "0.9.9"])
def test_an_older_one_is_refused(package: Path, version: str) -> None:
    """With the version, and what to install."""
    install(package, version)
    with pytest.raises(MissingRuntimeError) as caught:
        asyncio.run(nest())
    assert str(caught.value) == (
        f"nest-asyncio2 {version} loses cells that wait on ipykernel 7. "
        'Install "nest-asyncio2>=1.7.3" and restart the kernel.'
    )
    import nest_asyncio2

    assert nest_asyncio2.applied == []  # type: ignore[attr-defined]


def test_a_missing_package_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if its metadata has stayed."""
    install(package, "1.7.3")
    monkeypatch.setitem(sys.modules, "nest_asyncio2", None)
    with pytest.raises(MissingRuntimeError, match=r"^nested_asyncio\(\) needs nest-asyncio2\. Ins"):
        asyncio.run(nest())


def test_another_thread_is_refused() -> None:
    """Its loop is none that cells run on."""
    errors: list[Exception] = []

    def run() -> None:
        with pytest.raises(ConfigurationError) as caught:
            asyncio.run(nest())
        errors.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "works only on the event loop of the main thread" in str(errors[0])


@pytest.mark.parametrize(
    ("kernel", "refused"), [(None, False), ((6, 30), False), ((7, 0), True), ((8, 0), True)]
)
def test_the_package_before_it_is_enough_on_older_kernels(
    package: Path, monkeypatch: pytest.MonkeyPatch, kernel: Any, refused: bool
) -> None:
    """From ipykernel 7 on it loses cells, and must go."""
    install(package, "1.7.3")
    monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", kernel and SimpleNamespace(version_info=kernel))
    if refused:
        with pytest.raises(ConfigurationError, match=r"nest_asyncio\.apply\(\) was called before"):
            asyncio.run(nest())
    else:
        asyncio.run(nest())
    assert "nest_asyncio2" not in sys.modules


def test_the_newer_package_may_have_been_applied_before(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is applied to this loop as well."""
    install(package, "1.7.3")
    for name in ("_nest_patched", "_nest_asyncio2"):
        monkeypatch.setattr(asyncio, name, True, raising=False)
    loop = asyncio.run(nest())
    assert sys.modules["nest_asyncio2"].applied == [loop]  # type: ignore[attr-defined]
