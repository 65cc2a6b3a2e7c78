"""As many parts at once as the process has cores, and not more."""

from __future__ import annotations

import os
from threading import Lock
from time import sleep

import pytest

from churn_spark.models.fading.parts import LocalParts


@pytest.mark.parametrize(("cores", "expected"), [({0, 3}, 2), (set(range(64)), 8)])
def test_parts_in_work_are_no_more_than_the_cores_of_the_process(
    cores: set[int], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    lock, running, most = Lock(), 0, 0

    def work(part: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        sleep(0.02)
        with lock:
            running -= 1
        return part * part

    assert LocalParts(range(20)).collect(work) == [n * n for n in range(20)]
    assert most == expected
