"""One night, each of its steps measured: `python -m bench.measured_night LAKEHOUSE EVENTS`.

The last line of what it prints is JSON, a `MeasuredNight`. It is a process of its own, so that
its beginning counts: Python's and the JVM's start are the step `start`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.processes import START, CpuMeter, age_s
from churn_spark.pipeline.console import each_step_told_to
from churn_spark.pipeline.context import JobContext, open_job


@dataclass(frozen=True)
class Step:
    """What a step took, with what came before it since the step before.

    Attributes:
        name: as its closing line says.
        wall_s: seconds.
        cpu_s: CPU seconds of this process, the JVM and the Python workers.
        jobs: Spark jobs.
        written_mb: by which the lakehouse has grown, MB.
    """

    name: str
    wall_s: float
    cpu_s: float
    jobs: int
    written_mb: float


@dataclass(frozen=True)
class MeasuredNight:
    """A night's steps in their order, and its date."""

    night: str
    steps: list[Step]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `asdict` and `json.dumps` have made of one."""
        values = json.loads(text)
        return cls(values["night"], [Step(**step) for step in values["steps"]])

    def total(self, name: str) -> Any:
        """The sum of one of the figures over all steps."""
        return sum(getattr(step, name) for step in self.steps)


@dataclass
class _Meter:
    """Takes the difference of all counters at each call."""

    context: JobContext
    steps: list[Step] = field(default_factory=list)
    cpu: CpuMeter = field(default_factory=CpuMeter)
    before: tuple[float, float, int, float] = (0.0, 0.0, 0, 0.0)

    def __call__(self, name: str, _: float = 0.0) -> None:
        """Write down a step that has just ended."""
        now = self.read()
        wall, cpu, jobs, written = (new - old for new, old in zip(now, self.before, strict=True))
        self.steps.append(Step(name, wall, cpu, int(jobs), written))
        self.before = now

    def read(self) -> tuple[float, float, int, float]:
        """Seconds since the process began, CPU seconds, Spark jobs, MB in the lakehouse."""
        # Spark's own status forgets old jobs; its scheduler numbers them all.
        scheduler = self.context.spark.sparkContext._jsc.sc().dagScheduler()
        files = Path(self.context.config.lakehouse).rglob("*")
        size = sum(path.stat().st_size for path in files if path.is_file())
        return age_s(), self.cpu.read(), scheduler.numTotalJobs(), size / 1e6


def measure_night(lakehouse: str, events: str, *overrides: str) -> MeasuredNight:
    """Run the night after the log's newest day."""
    with open_job("nightly", "local", [f"lakehouse={lakehouse}", *overrides]) as context:
        from churn_spark.pipeline import night

        meter = _Meter(context)
        size = meter.read()[3]
        meter.before = (0.0, 0.0, 0, size)
        meter(START)
        config = context.config.night
        with each_step_told_to(meter):
            night.run(context.lakehouse, lambda: context.registry, config, None, events)
        meter("page and the rest")
        newest = max(Path(lakehouse, "gold", "snapshots").glob("as_of=*")).name
        return MeasuredNight(newest.removeprefix("as_of="), meter.steps)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure_night(*sys.argv[1:]))) + "\n")
