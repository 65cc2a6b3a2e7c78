"""Which executors did what of a job: out of the event log that Spark writes of it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ExecutorTasks:
    """Tasks that came to a good end, and executors that were lost.

    Attributes:
        by_work: kind of work -> executor -> its tasks; the kinds of a stage are the operators in
            it (`MapInPandas`) and who has asked for it (`collect at native_feed.py`).
        lost: executors that went away.
    """

    by_work: Mapping[str, Counter[str]]
    lost: frozenset[str]

    def executors(self, work: str) -> list[str]:
        """The executors that did a kind of work."""
        return sorted(self.by_work.get(work, ()))

    @property
    def n_tasks(self) -> Counter[str]:
        """Executor -> all its tasks."""
        return self.by_work["all"]


def read_tasks(event_log: Path) -> ExecutorTasks:
    """Read an event log, also one that is still being written."""
    kinds: dict[int, set[str]] = {}
    by_work: dict[str, Counter[str]] = defaultdict(Counter)
    lost: set[str] = set()
    for event in _events(event_log):
        match event["Event"]:
            case "SparkListenerStageSubmitted":
                kinds[event["Stage Info"]["Stage ID"]] = {*_kinds(event["Stage Info"])}
            case "SparkListenerTaskEnd" if event["Task End Reason"]["Reason"] == "Success":
                for kind in {"all", *kinds[event["Stage ID"]]}:
                    by_work[kind][event["Task Info"]["Executor ID"]] += 1
            case "SparkListenerExecutorRemoved":
                lost.add(event["Executor ID"])
    return ExecutorTasks(by_work, frozenset(lost))


def _events(event_log: Path) -> Iterator[dict[str, Any]]:
    for line in event_log.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return  # the last line, half written


def _kinds(stage: dict[str, Any]) -> Iterator[str]:
    action, _, place = stage["Stage Name"].partition(" at ")
    yield f"{action} at {Path(place.partition(':')[0]).name}"
    for rdd in stage["RDD Info"]:
        if scope := rdd.get("Scope"):
            yield json.loads(scope)["name"]
