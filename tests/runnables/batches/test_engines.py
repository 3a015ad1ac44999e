"""Batches on ipyparallel's and dask's engines, which tests start on this machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatnb.errors import ChatnbError
from chatnb.runnables import RunnableLambda
from tests.support.many_workers import Logged, double, process_id

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
_ROOT = str(Path(__file__).parents[3])


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """Two engines of ipyparallel."""
    ipyparallel = pytest.importorskip("ipyparallel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _ROOT)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        cluster = ipyparallel.Cluster(n=2, log_level=40, delay=0)
        with cluster as client:
            client.wait_for_engines(2, timeout=120)
            yield client.executor()


@pytest.fixture(scope="module")
def dask_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """Two workers of dask, each with one thread."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _ROOT)
        with (
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # Also without one it has a port.
                local_directory=str(tmp_path_factory.mktemp("dask")),
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor()


each_engine = pytest.mark.parametrize("engine", ["engines", "dask_workers"])


@each_engine
def test_an_engine_runs_a_batch(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Results, usage and failures come home, from several processes; the checkpoint is shared."""
    executor, numbers = request.getfixturevalue(engine), list(range(40))
    assert RunnableLambda(double).batch(numbers, executor=executor) == [2 * n for n in numbers]
    where = set(RunnableLambda(process_id).batch(numbers, executor=executor))
    assert os.getpid() not in where
    assert len(where) == 2
    chat, path = Logged(tmp_path / "log"), tmp_path / "run.sqlite"
    for prompts in (["a", "b", "a"], ["a", "b", "a", "limit"]):
        result = chat.generate([[p] for p in prompts], executor=executor, checkpoint=path)
        assert [some[0].text for some in result.generations] == [f"reply to {p}" for p in prompts]
    assert Counter(chat.log.read_text().split()) == {"a": 2, "b": 1, "limit": 2}
    found = RunnableLambda(double).map(iter([1, -1]), executor=executor, return_exceptions=True)
    assert [str(output) for output in found] == ["2", "-1 is negative"]


def test_a_dask_worker_that_dies_costs_its_unfinished_calls(
    dask_workers: Any, tmp_path: Path
) -> None:
    """Dask gives its part to another worker, which takes its replies from the checkpoint."""
    chat = Logged(tmp_path / "log")
    prompts = [*(f"p{n}" for n in range(6)), "die 1"]
    found = chat.batch(
        prompts, {"max_concurrency": 4}, executor=dask_workers, checkpoint=tmp_path / "run.sqlite"
    )
    assert [reply.text for reply in found] == [f"reply to {prompt}" for prompt in prompts]
    made = Counter(chat.log.read_text().splitlines())
    assert made == {**dict.fromkeys(prompts, 1), "die 1": 2}


def test_a_lost_controller_ends_a_batch(engines: Any, tmp_path: Path) -> None:
    """The futures of ipyparallel stay as they are once its controller is gone; the batch does not.

    It comes last in this file, since the engines end with their controller.
    """
    controller = psutil.Process(engines.view.client.cluster.controller.pid)
    chat = Logged(tmp_path / "log")
    replies = chat.batch_as_completed(["wait", "short"], executor=engines)
    assert next(replies)[0] == 1
    # Its schedulers first, which else would go on without it.
    for process in [*controller.children(recursive=True), controller]:
        process.kill()
    with pytest.raises(ChatnbError, match="connection to the controller of the executor is lost"):
        list(replies)
