"""A mapper on Spark, where Spark and Java are installed; Dask is in `test_engines.py`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
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
