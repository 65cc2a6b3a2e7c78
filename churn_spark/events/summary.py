"""The account of an ingest: every line read is accepted, anonymous or quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_AGAIN = "deliver it again under a new name; events already loaded count once"


@dataclass(frozen=True)
class BatchFacts:
    """What became of one batch of files.

    Attributes:
        n_files: files read.
        lines: `read`, `accepted`, `anonymous` and each quarantine reason -> lines.
        broken: file -> why it could not be read to its end.
    """

    n_files: int
    lines: Mapping[str, int]
    broken: Mapping[str, str]


@dataclass(frozen=True)
class IngestSummary:
    """What one run of the ingest did.

    Attributes:
        batches: those of this run.
        changed: files that were changed after an earlier run, or this one, had read them.
        ignored: files in the input folder that are no event files.
    """

    batches: Sequence[BatchFacts]
    changed: Sequence[str] = ()
    ignored: Sequence[str] = ()

    @property
    def lines(self) -> Counter[str]:
        """Lines by what became of them, over all batches; zeros left out."""
        total: Counter[str] = Counter()
        for batch in self.batches:
            total.update(batch.lines)
        return +total

    def describe(self) -> str:
        """One line that adds up."""
        n_files = sum(batch.n_files for batch in self.batches)
        if not n_files:
            return "no new file"
        lines = self.lines
        reasons = {
            reason: n
            for reason, n in lines.items()
            if reason not in ("read", "accepted", "anonymous")
        }
        listed = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
        return (
            f"{n_files} file{'s' if n_files > 1 else ''}: read {lines['read']:,} = "
            f"accepted {lines['accepted']:,} + anonymous {lines['anonymous']:,} + "
            f"quarantined {sum(reasons.values()):,}" + (f" ({listed})" if listed else "")
        )

    def warnings(self) -> list[str]:
        """One sentence for each file that isn't loaded whole, and one for the ignored."""
        broken = [
            f"{path} can't be read to its end: {reason}. Whole lines before that are loaded: "
            f"{_AGAIN}"
            for batch in self.batches
            for path, reason in batch.broken.items()
        ]
        changed = [
            f"{path} was changed after it was read; its new content is not loaded: {_AGAIN}"
            for path in self.changed
        ]
        ignored = []
        if self.ignored:
            ignored.append(
                f"left out, for they are no .json or .json.gz: {len(self.ignored)} in the folder, "
                f"the first is {self.ignored[0]}"
            )
        return broken + changed + ignored
