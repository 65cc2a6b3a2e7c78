"""The account of an ingest: every line read is accepted, anonymous or quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from churn_spark.errors import UnreadFilesError
from churn_spark.events.readings import FileNote
from churn_spark.wording import count_of, name_some

_AGAIN: Final = "deliver it again under a new name; events already loaded count once"
_NAMED: Final = 3


@dataclass(frozen=True)
class BatchFacts:
    """What became of one batch of files.

    Attributes:
        files: what was done about each.
        lines: `read`, `accepted`, `anonymous`, `erased` and each quarantine reason -> lines.
        broken: file -> why it could not be read to its end.
    """

    files: Sequence[FileNote]
    lines: Mapping[str, int]
    broken: Mapping[str, str]


@dataclass(frozen=True)
class IngestSummary:
    """What one run of the ingest did.

    Attributes:
        batches: those of this run.
        changed: files that were changed after an earlier run, or this one, had read them.
        ignored: files in the input folder that are no event files.
        young: files that may still be written, and are left for the next run.
        min_age_minutes: that they lack.
        refused: file that was read before and can't be opened now, though it is listed otherwise ->
            the reason.
    """

    batches: Sequence[BatchFacts]
    changed: Sequence[str] = ()
    ignored: Sequence[str] = ()
    young: Sequence[str] = ()
    min_age_minutes: float = 0.0
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> Counter[str]:
        """Lines by what became of them, over all batches; zeros left out."""
        total: Counter[str] = Counter()
        for batch in self.batches:
            total.update(batch.lines)
        return +total

    @property
    def unread(self) -> dict[str, str]:
        """Files that could not be opened, each with the reason."""
        of_batches = {
            note.path: note.problem or ""
            for batch in self.batches
            for note in batch.files
            if note.status == "unread"
        }
        return {**self.refused, **of_batches}

    def describe(self) -> str:
        """One line that adds up."""
        statuses = Counter(note.status for batch in self.batches for note in batch.files)
        n_on, n_again = statuses["read on"], statuses["read again"]
        n_files = statuses["read"] + n_on + n_again
        facts = [self._describe_lines(n_files) if n_files else "no new file"]
        if n_on:
            facts.append(f"{n_on:,} of them read on from where {_it(n_on)} had ended")
        if n_again:
            facts.append(f"{n_again:,} of them in place of what {_it(n_again)} had delivered")
        if self.young:
            minutes = f"{self.min_age_minutes:g} minute{'s' * (self.min_age_minutes != 1)}"
            facts.append(
                f"{count_of(len(self.young), 'file')} changed less than {minutes} ago, left for "
                "the next run"
            )
        return "; ".join(facts)

    def warnings(self) -> list[str]:
        """One sentence for each file that isn't loaded whole, and one for the ignored."""
        broken = [
            f"{path} can't be read to its end: {reason}. Whole lines before that are loaded: "
            f"{_AGAIN}"
            for batch in self.batches
            for path, reason in batch.broken.items()
        ]
        changed = [
            f"{path} was changed after it was read; its new content is not loaded: {_AGAIN}, or "
            "run `ingest_events --reload changed`, which replaces the events read from it before"
            for path in self.changed
        ]
        ignored = []
        if self.ignored:
            ignored.append(
                f"left out, by the endings of their names: {len(self.ignored)} in the folder, "
                f"the first is {self.ignored[0]}"
            )
        return broken + changed + ignored

    def require_all_read(self) -> None:
        """Let pass only a run that could open all files; all others are loaded all the same.

        Raises:
            UnreadFilesError: if a file was gone, or may not be read.
        """
        if not self.unread:
            return
        files = [f"{path} ({reason})" for path, reason in self.unread.items()]
        raise UnreadFilesError(
            f"found {count_of(len(files), 'listed file')} that could not be opened: "
            f"{name_some(files, _NAMED)}; expected to read what is there. All else is loaded, and "
            "what these hold is not: bring them back or make them readable, and run again"
        )

    def _describe_lines(self, n_files: int) -> str:
        lines = self.lines
        reasons = {
            reason: n
            for reason, n in lines.items()
            if reason not in ("read", "accepted", "anonymous", "erased")
        }
        listed = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
        of_erased = f"erased {lines['erased']:,} + " if lines["erased"] else ""
        return (
            f"{count_of(n_files, 'file')}: read {lines['read']:,} = "
            f"accepted {lines['accepted']:,} + not signed in {lines['anonymous']:,} + "
            f"{of_erased}rejected {sum(reasons.values()):,}" + (f" ({listed})" if listed else "")
        )


def _it(n: int) -> str:
    return "it" if n == 1 else "they"
