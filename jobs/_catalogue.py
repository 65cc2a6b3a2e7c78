"""The commands of `churn-spark`: what each is for, and examples of how it is called.

Their options and what they say of themselves are declared where the job is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

Examples = Sequence[str]
"""Of arguments behind the command's name."""

COMMANDS: Final[Mapping[str, Mapping[str, Examples]]] = {
    "First steps": {
        "demo": ("", "--nights 3"),
        "doctor": ("", "--json"),
        "check_mapping": ("--events /logs", "--events /logs --mapping mapping.yaml"),
    },
    "Daily runs (nights)": {
        "nightly": (
            "--events /logs",
            "--date 2018-12-01 --events /logs --evaluate",
            "--from 2018-11-25 --to 2018-12-01",
            "--date 2018-12-01 --plan",
        ),
        "check_freshness": ("--set schedule.expected_by=06:00",),
        "record_contacts": ("--file contacts.csv",),
    },
    "Inspect and query": {
        "status": ("", "--runs 30"),
        "query": (
            '"select risk_band, count(*) as users from ml.scores group by risk_band"',
            "--saved",
            "--saved cancels_by_week --format csv",
            "--tables",
        ),
        "build_report": ("",),
        "replay": ("", "--set policy.max_training_days=14"),
        "serve": ("--port 8000", "new-key dashboard --scope read"),
    },
    "The steps of a daily run, one by one": {
        "ingest_events": ("--events /logs", "--events /logs --reload changed"),
        "build_session_days": ("",),
        "build_transitions": ("",),
        "build_event_days": ("",),
        "build_snapshots": ("--date 2018-12-01",),
        "check_data": ("--date 2018-12-01",),
        "score_users": ("--date 2018-12-01", "--from 2018-11-25 --to 2018-12-01"),
        "build_retention_list": ("--date 2018-12-01 --csv list.csv",),
        "monitor_model": ("--date 2018-12-01",),
        "retrain_if_needed": ("--date 2018-12-01", "--date 2018-12-01 --ask-only"),
    },
    "The model: train, tune, test": {
        "train_model": ("--date 2018-12-01", "--date 2018-12-01 --set lightgbm.class_weight=none"),
        "tune_model": ("--date 2018-12-01",),
        "backtest": ("", "--date 2018-12-01"),
        "check_leaks": ("--date 2018-12-01",),
    },
    "The tables: repair, erase, clean up": {
        "extract_rejected": ("--out rejected.json",),
        "erase_user": ("--user 2000298", "--file ids.txt"),
        "maintain_tables": ("",),
        "register_tables": ("",),
    },
    "Simulated logs": {
        "simulate_events": (
            "--out logs --users 1000 --days 30 --seed 1",
            "--out logs --from 2018-10-31 --days 1",
        ),
        "reveal_truth": ("--out logs --date 2018-10-15",),
    },
}
"""Group -> command -> examples."""
