"""Print all features as Markdown: `python -m churn_spark.contracts.features`."""

from __future__ import annotations

from churn_spark.contracts.features.spec import FEATURE_SETS


def describe_features() -> str:
    """The features as Markdown: the whole of `docs/features.md`."""
    parts = [
        "# The features\n\nWritten by `make docs` from `churn_spark/contracts/features`. All are "
        "as of a date D: they know the events before D 00:00 UTC and nothing else. A training "
        "chooses the sets by `training.feature_sets`. Features marked ↗ grow with time for "
        "everybody, so their drift is expected.\n"
    ]
    for name, features in FEATURE_SETS.items():
        rows = "\n".join(
            f"| `{f.name}`{' ↗' if f.is_trending else ''} | {f.meaning} | {f.unit or 'category'} |"
            for f in features
        )
        parts.append(f"## `{name}`\n\n| feature | meaning | unit |\n| --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(describe_features(), end="")
