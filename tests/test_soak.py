"""Five seconds of everything at once; `make soak` takes ten minutes for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 5
ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_nothing_hangs_is_lost_or_left(tmp_path: Path) -> None:
    """Streams, batches, panels and replies, interrupted, cancelled, exited and collected on several
    threads while another process writes: every call ends, every reply is kept, and no thread, task
    or file is left."""
    command = [sys.executable, "-m", "tests.support.soak", str(SECONDS), "1"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-10_000:]
    made = json.loads(ran.stdout)
    print(ran.stdout)
    assert min(made.values()) > 0
