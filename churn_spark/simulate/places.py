"""Where the files of a simulated world lie, and which of them a run writes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

from churn_spark.simulate.blocks import events_path, profiles_path
from churn_spark.simulate.contacts import contacts_file
from churn_spark.simulate.logs import day_file
from churn_spark.simulate.own_files import WORK
from churn_spark.simulate.population import count_blocks
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.states import state_file
from churn_spark.simulate.truth import planned_truth, truth_file
from churn_spark.simulate.truth_contacts import CONTACTED
from churn_spark.simulate.twins import twins_file

_DATE: Final = r"(\d{4}-\d\d-\d\d)/"
_OF_DAY: Final = re.compile(rf"^(?:events/|truth/offers/offered_on=){_DATE}")
_AT_END_OF_DAY: Final = re.compile(rf"^(?:world/|truth/\w+/as_of=){_DATE}")


def settings_file(out: Path) -> Path:
    """Where the settings of the world in `out` stand; written last of all."""
    return out / "world" / "settings.json"


def state_folder(out: Path, day: date) -> Path:
    """Where the blocks stand at the start of a day."""
    return out / "world" / day.isoformat()


def planned_files(
    settings: SimulationSettings, period: Period, out: Path, has_contacts: bool
) -> list[Path]:
    """All files that a run may write, those of its scratch folder included."""
    blocks, work = range(count_blocks(settings)), out / WORK
    states = (state_folder(out, period.end), work / "world")
    of_contacts = [
        *(contacts_file(folder) for folder in states),
        *(twins_file(folder, n) for folder in states for n in blocks),
        *(truth_file(out, CONTACTED, n) for n in blocks),
    ]
    return [
        *(of_contacts if has_contacts else []),
        settings_file(out),
        *(
            day_file(settings, out, day, number)
            for day in period.dates
            for number in range(settings.files_a_day)
        ),
        *(truth_file(out, name, n) for name in planned_truth(settings, period) for n in blocks),
        *(state_file(folder, n) for folder in states for n in blocks),
        *(path(work, n) for path in (events_path, profiles_path) for n in blocks),
    ]


def later_files(own: Iterable[Path], out: Path, end: date) -> list[Path]:
    """The files of days at or after an end, and of dates after it.

    The states of the world come first: where a run is cut off between two deletions, no state
    stands whose days are gone.

    Args:
        own: files of the world in `out`.
        out: its folder.
        end: the day after the last one that it is to have.
    """
    later = []
    for path in own:
        name, last = path.relative_to(out).as_posix(), end.isoformat()
        of_day, at_end = _OF_DAY.match(name), _AT_END_OF_DAY.match(name)
        if (of_day and of_day[1] >= last) or (at_end and at_end[1] > last):
            later.append(path)
    states = out / "world"
    return sorted(later, key=lambda path: (states not in path.parents, path))
