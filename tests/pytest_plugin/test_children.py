"""Python processes that a notebook under test starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pytest_plugin.test_http import variables
from tests.support.loopback import LoopbackServer, whole
from tests.support.notebook_runs import edit, run_pytest, write_notebook
from tests.support.pytest_runs import OWN_PATHS

pytestmark = pytest.mark.slow

RUN = """\
import subprocess, sys
def run(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    print(ran.stdout + ran.stderr[-700:])"""
ASK = """\
run('''import httpx, os
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
print(httpx.post(url, json={"question": "Name a colour."}).json()["choices"][0]["message"])''')"""
DATE = "run('import datetime, hidden; print(datetime.date.today(), hidden.NAME)')"
SOCKET = "run('import socket; socket.create_connection((\"127.0.0.1\", 9), 1)')"
_MOMENT = 'recorded_at: "2026-01-0{}T12:00:00+00:00"'


def test_children_have_the_cassette_the_clock_and_no_network(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    """The requests of a child are recorded and replayed, its date is that of the recording, it is
    refused a socket, and a `sitecustomize` of the notebook's author is run as well."""
    loopback.plays(whole("Blue, at once."))
    (tmp_path / "cassettes").mkdir()
    cassette = tmp_path / "cassettes" / "children.yaml"
    cassette.write_text(f"chatnb_cassette: 1\n{_MOMENT.format(2)}\ncalls:\n")
    (tmp_path / "sitecustomize.py").write_text("import sys, types\nhidden = types.ModuleType('h')\n"
                                               "hidden.NAME = 'kept'\n"
                                               "sys.modules['hidden'] = hidden\n")  # fmt: skip
    path = os.pathsep.join(map(str, (tmp_path, *OWN_PATHS)))
    served = {"PYTHONPATH": path, **variables(loopback)}
    unserved = {"PYTHONPATH": path, **variables(None)}
    write_notebook(tmp_path / "children.ipynb", RUN, ASK, DATE, SOCKET)
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".", **served)
    assert ran.code == 0, ran.said
    assert "does not repeat" not in ran.said
    saved = (tmp_path / "children.ipynb").read_text()
    assert "2026-01-02 kept" in saved
    assert "NetworkRefused: 127.0.0.1:9 was called." in saved
    assert len(loopback.exchanges) == 1
    ran = run_pytest(tmp_path, "--chatnb", ".", **unserved)
    assert ran.code == 0, ran.said
    assert "nothing requests" not in ran.said
    edit(tmp_path / "children.ipynb", "a colour", "a city")
    edit(cassette, _MOMENT.format(2), _MOMENT.format(3))
    ran = run_pytest(tmp_path, "--chatnb", ".", **unserved)
    assert "2 failed" in ran.said
    assert "children.yaml has no reply to this request" in ran.said
    assert "+ 2026-01-03 kept" in ran.said
