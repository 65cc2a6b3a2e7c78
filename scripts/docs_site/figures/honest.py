"""Why published figures are higher: the same trees on the same counts, asked three questions."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import duckdb
import lightgbm as lgb
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from churn_spark.arrays import Values
from churn_spark.config import load_config
from churn_spark.evaluation.expected import expected_roc_auc
from churn_spark.simulate.probabilities import build_probabilities
from scripts.docs_site.figures.canvas import ACCENT, GOLD, INK, MUTED, STYLE, WARM, as_svg

_AS_OF: Final = date(2018, 11, 16)
_N_FOLDS: Final = 5
_PAGES: Final = (
    "NextSong", "Thumbs Up", "Thumbs Down", "Roll Advert", "Downgrade", "Settings", "Add Friend",
    "Add to Playlist", "Help", "Error", "Logout", "Upgrade", "Home", "About",
)  # fmt: skip
_LOG: Final = "{ts: 'BIGINT', userId: 'VARCHAR', sessionId: 'BIGINT', page: 'VARCHAR'}"


def measure(log: Path) -> str:
    """The ROC AUC of each question on a simulated log, as JSON."""
    labels = load_config().labels
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"""
        CREATE TABLE event AS
        SELECT userId AS user_id, sessionId AS session_id, ts, page
        FROM read_json('{log}/events/**/*.json*', format = 'newline_delimited', columns = {_LOG})
        WHERE trim(userId) <> ''""")
    connection.execute("""
        CREATE TABLE cancel AS SELECT user_id, min(ts) AS cancel_ts FROM event
        WHERE page = 'Cancellation Confirmation' GROUP BY ALL""")
    everybody = _count(connection, "true")
    everybody["label"] = everybody["cancel_ts"].notna()
    cut, begin, end = (
        _millis(_AS_OF + timedelta(days))
        for days in (0, labels.gap_days, labels.gap_days + labels.horizon_days)
    )
    alive = _count(connection, f"ts < {cut}")
    cancel = alive["cancel_ts"]
    alive = alive[~(cancel < begin)].reset_index(drop=True)
    alive["label"] = alive["cancel_ts"] < end
    truth = build_probabilities(log, _AS_OF, labels.horizon_days, labels.gap_days)
    best = truth.to_pandas()["cancel_probability"].to_numpy()
    return (
        json.dumps(
            {
                "users": len(everybody),
                "users_as_of": len(alive),
                "as_of": _AS_OF.isoformat(),
                "horizon_days": labels.horizon_days,
                "ever, with the span": _held_out_auc(everybody, ["span_days"]),
                "ever, the span alone": _auc(everybody["label"], -everybody["span_days"]),
                "ever, without the span": _held_out_auc(everybody, []),
                "ahead": _held_out_auc(alive, []),
                "best possible": round(expected_roc_auc(best, best), 3),
            },
            indent=2,
        )
        + "\n"
    )


def draw_honest(measured: str) -> str:
    """A bar for each question, with what the best forecast possible reaches."""
    found = json.loads(measured)
    names = {
        "ever, with the span": "Has this user ever cancelled?\nthe whole log's counts and span",
        "ever, without the span": "Has this user ever cancelled?\nthe same counts without the span",
        "ahead": f"Will this user cancel in {found['horizon_days']} days?\ncounts before the date",
    }
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        axes = figure.subplots()
        for place, (key, colour) in enumerate(zip(names, (WARM, GOLD, ACCENT), strict=True)):
            axes.barh(place, found[key] - 0.5, left=0.5, color=colour, height=0.6)
            axes.text(
                found[key] + 0.006,
                place,
                f"{found[key]:.2f}".lstrip("0"),
                va="center",
                weight="bold",
            )
        best = found["best possible"]
        axes.plot([best, best], [1.55, 2.45], color=INK, linewidth=2)
        axes.text(
            best + 0.006,
            2.45,
            f"the best forecast possible: {best:.2f}".replace("0.", "."),
            color=MUTED,
        )
        axes.set_yticks(range(3), names.values())
        axes.set(
            xlim=(0.5, 1.0), ylim=(2.6, -0.5), xlabel="ROC AUC of the same trees, held-out users"
        )
        axes.grid(axis="y", visible=False)
        return as_svg(figure)


def _count(connection: duckdb.DuckDBPyConnection, condition: str) -> pd.DataFrame:
    """A row for each user who has an event that fits: counts, and how long the log saw them."""
    pages = ", ".join(
        f"count(*) FILTER (page = '{page}') AS n_{number}" for number, page in enumerate(_PAGES)
    )
    return connection.execute(f"""
        SELECT user_id, any_value(cancel_ts)::DOUBLE AS cancel_ts, {pages},
               count(DISTINCT session_id) AS n_sessions,
               (max(ts) - min(ts)) / 86400000.0 AS span_days
        FROM event LEFT JOIN cancel USING (user_id)
        WHERE page NOT IN ('Cancel', 'Cancellation Confirmation') AND {condition}
        GROUP BY ALL ORDER BY user_id""").df()


def _held_out_auc(rows: pd.DataFrame, others: list[str]) -> float:
    """Trees learn from four fifths of the users and are judged on the last, in turn."""
    columns = [*(f"n_{number}" for number in range(len(_PAGES))), "n_sessions", *others]
    fold = np.random.default_rng(1).integers(_N_FOLDS, size=len(rows))
    said = np.empty(len(rows))
    for one in range(_N_FOLDS):
        data = lgb.Dataset(rows.loc[fold != one, columns], rows.loc[fold != one, "label"])
        settings = {
            "objective": "binary", "num_leaves": 15, "learning_rate": 0.05,
            "min_data_in_leaf": 50, "lambda_l2": 10.0, "verbose": -1, "seed": 1,
        }  # fmt: skip
        trees = lgb.train(settings, data, num_boost_round=150)
        said[fold == one] = trees.predict(rows.loc[fold == one, columns])
    return _auc(rows["label"], said)


def _auc(labels: pd.Series, scores: Values | pd.Series) -> float:
    return round(float(roc_auc_score(labels.to_numpy(dtype=bool), np.asarray(scores))), 3)


def _millis(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000
