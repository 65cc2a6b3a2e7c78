"""Can a classifier tell simulated users from given ones? The classifier two-sample test.

Source: Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017: when both
samples come from one distribution no classifier does better than chance on held-out users.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from bench.event_log import EventLog
from churn_spark.arrays import Floats

# How often songs repeat is the catalogue's doing: one log that was published has 58,480 songs,
# another of the same generator 9,399. No catalogue is like both.
CATALOGUE_COLUMN: Final = "different_songs"
_DAY_S: Final = 86_400.0
_FOLDS: Final = 10
_PAGES: Final = {
    "songs": "NextSong",
    "thumbs_up": "Thumbs Up",
    "thumbs_down": "Thumbs Down",
    "playlist": "Add to Playlist",
    "friends": "Add Friend",
    "adverts": "Roll Advert",
    "home": "Home",
    "help": "Help",
    "settings": "Settings",
    "logout": "Logout",
    "downgrade": "Downgrade",
    "errors": "Error",
}


def build_behaviour(log: EventLog) -> pd.DataFrame:
    """Describe each user's behaviour by 23 numbers, and the variety of the songs by one.

    Page columns are shares of the user's events; gaps are seconds or days.

    Args:
        log: events of any number of users.

    Returns:
        One row a user.
    """
    events = pd.DataFrame(
        {
            "user": log.user,
            "session": log.session,
            "day": log.ts // 86_400,
            "gap": np.diff(log.ts, prepend=log.ts[0]).astype(float),
            "is_paid": log.is_paid,
            "is_weekend": (log.ts // 86_400 - 4) % 7 >= 5,
            "is_afternoon": (log.ts // 3600 % 24 >= 12) & (log.ts // 3600 % 24 < 20),
            **{name: log.is_page(page) for name, page in _PAGES.items()},
        }
    )
    by_user = events.groupby("user")
    n_events = by_user.size()
    first, last = (pd.Series(log.ts).groupby(log.user).agg(which) for which in ("min", "max"))
    sessions = events.groupby(["user", "session"]).size().groupby("user")
    is_same = (np.diff(log.user, prepend=-1) == 0) & (np.diff(log.session, prepend=-1) == 0)
    is_next = (np.diff(log.user, prepend=-1) == 0) & ~is_same
    within, between = (
        events.loc[chosen].groupby("user")["gap"].median().reindex(n_events.index)
        for chosen in (is_same, is_next)
    )
    registered = pd.Series(log.registered).groupby(log.user).first()
    repeats = pd.DataFrame({"user": log.user, "song": log.song})[log.is_page("NextSong")]
    different = repeats.drop_duplicates().groupby("user").size().reindex(n_events.index)
    return pd.DataFrame(
        {
            **{name: by_user[name].mean() for name in _PAGES},
            "paid": by_user["is_paid"].mean(),
            "weekend": by_user["is_weekend"].mean(),
            "afternoon": by_user["is_afternoon"].mean(),
            "log_events": np.log(n_events),
            "log_sessions": np.log(sessions.size()),
            "median_session_events": sessions.median(),
            "active_days": by_user["day"].nunique(),
            "days_first_to_last": (last - first) / _DAY_S,
            "days_registered": (last - registered) / _DAY_S,
            "median_gap_s": within,
            "median_pause_days": between / _DAY_S,
            CATALOGUE_COLUMN: different / by_user["songs"].sum(),
        }
    )


def tell_apart(given: pd.DataFrame, simulated: pd.DataFrame, seed: int) -> float:
    """Give the cross-validated AUC of gradient boosting that tells two samples apart.

    Args:
        given: users of a log, one row each.
        simulated: users of another, same columns.
        seed: of the folds.

    Returns:
        0.5 when they can't be told apart, up to 1.
    """
    rows = pd.concat([given, simulated], ignore_index=True)
    is_simulated = np.repeat([0, 1], [len(given), len(simulated)])
    model = HistGradientBoostingClassifier(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=seed
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    scores: Floats = cross_val_predict(model, rows, is_simulated, cv=folds, method="predict_proba")
    return float(roc_auc_score(is_simulated, scores[:, 1]))
