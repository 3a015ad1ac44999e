"""A mapper on Ray and Spark, which `make test-engines` installs; Dask is in test_engines.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from chatnb import ScriptedChatModel, mapper

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

_ROOT = str(Path(__file__).parents[3])
_SCHEMA = "prompt string, reply string, reply_tokens long, reply_cost double, reply_error string"


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Spark in local mode, with two workers."""
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    monkeypatch.setenv("PYTHONPATH", _ROOT)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    local = ("spark.driver.bindAddress", "spark.driver.host")
    for name in local:
        builder = builder.config(name, "127.0.0.1")
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_spark_maps_a_data_frame(spark: Any) -> None:
    """By `mapInPandas`: the mapper travels to the workers, and its columns fit the schema."""
    frame = spark.createDataFrame([("a",), ("b",), (None,)], "prompt string").repartition(2)
    ask = mapper(ScriptedChatModel(["Yes."]), "prompt")
    rows = frame.mapInPandas(ask, _SCHEMA).collect()
    replies = {row.prompt: (row.reply, row.reply_error is None) for row in rows}
    assert replies == {"a": ("Yes.", True), "b": ("Yes.", True), None: (None, False)}


# Ray's processes take the environment and the standard streams of the one that starts them.
_ON_RAY = """
import json
import ray
from chatnb import ScriptedChatModel, mapper

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
ray.data.DataContext.get_current().enable_progress_bars = False
rows = [{"prompt": "a"}, {"prompt": "b"}, {"prompt": None}]
ask = mapper(ScriptedChatModel(["Yes."]), "prompt")
for batch_format in (None, "pandas", "pyarrow"):
    given = {"batch_format": batch_format} if batch_format else {}
    made = ray.data.from_items(rows).map_batches(ask, **given)
    print(json.dumps([[row["reply"], row["reply_error"]] for row in made.take_all()]))
ray.shutdown()
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_ray_maps_a_data_set(tmp_path: Path) -> None:
    """By `map_batches`, in each format of batches: numpy, pandas and Arrow."""
    # It writes a token into the home folder, and asks for the network unless told otherwise.
    quiet = {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
    ran = subprocess.run(
        [sys.executable, "-c", _ON_RAY],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, **quiet, "PYTHONPATH": path},
    )
    formats = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[[")]
    assert len(formats) == 3
    for rows in formats:
        assert sorted(reply or "" for reply, _ in rows) == ["", "Yes.", "Yes."]
        assert sorted(error or "" for _, error in rows)[:2] == ["", ""]
