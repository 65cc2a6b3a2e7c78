"""Work whose tasks depend on each other begins anew where an executor was lost, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError

from churn_spark.runtime.executors import repeat_where_one_is_lost


class FailedJobError(Py4JJavaError):
    """As Spark's, without a JVM to ask."""

    def __init__(self) -> None:
        Exception.__init__(self, "Job aborted")


class Cluster:
    """A session that knows its executors."""

    def __init__(self, *ports: int) -> None:
        self.ports = [*ports]
        tracker = SimpleNamespace(getExecutorInfos=self.infos)
        context = SimpleNamespace(statusTracker=lambda: tracker)
        self._jsc = SimpleNamespace(sc=lambda: context)

    def infos(self) -> list[Any]:
        return [
            SimpleNamespace(host=lambda: "worker", port=lambda port=port: port)
            for port in self.ports
        ]


def test_work_begins_anew_with_the_executors_that_are_left() -> None:
    cluster = Cluster(1, 2, 3)

    def work() -> list[int]:
        if len(cluster.ports) > 1:
            cluster.ports.pop()
            raise FailedJobError
        return cluster.ports

    assert repeat_where_one_is_lost(cluster, work) == [1]


@pytest.mark.parametrize("replaced", [False, True])
def test_work_that_fails_by_itself_fails_once(replaced: bool) -> None:
    cluster, calls = Cluster(1, 2), []

    def work() -> None:
        calls.append(1)
        if replaced:
            cluster.ports = [1, 2, 3]
        raise FailedJobError

    with pytest.raises(FailedJobError):
        repeat_where_one_is_lost(cluster, work)
    assert len(calls) == 1


def test_work_is_given_up_where_executors_are_lost_again_and_again() -> None:
    cluster = Cluster(*range(9))

    def work() -> None:
        cluster.ports.pop()
        raise FailedJobError

    with pytest.raises(FailedJobError):
        repeat_where_one_is_lost(cluster, work)
    assert len(cluster.ports) == 6
