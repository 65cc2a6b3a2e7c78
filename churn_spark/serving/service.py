"""What the routes work with: the model that answers, the tables, and whether all is well."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, Final

from churn_spark.config import ServiceConfig
from churn_spark.config.privacy import pseudonym_of, read_privacy_key
from churn_spark.contracts.tables import (
    ALERTS,
    BUILT_LISTS,
    DECISIONS,
    DRIFT,
    EFFECT,
    PERFORMANCE,
    RETENTION_LISTS,
    SCORES,
)
from churn_spark.errors import ConfigError, RequestError
from churn_spark.events.foreign.record import open_profiles
from churn_spark.serving.champion import ChampionWatch
from churn_spark.serving.contact_inbox import ContactInbox
from churn_spark.serving.figures import Figures
from churn_spark.serving.keys import KeyRing, KeyWatch
from churn_spark.serving.limits import Strangers
from churn_spark.serving.lists import Source, Today, of_one_model
from churn_spark.serving.nights import NightWatch
from churn_spark.serving.predictor import Predictor
from churn_spark.serving.published import PublishedChampion
from churn_spark.serving.sessions import Sessions
from churn_spark.serving.stores import LogStart, NewestPartition, TableWatch, read_all
from churn_spark.serving.users import Users, nobody, read_users
from churn_spark.wording import count_of

_log: Final = logging.getLogger(__name__)

# A night may be run some time before its date begins, UTC.
_AHEAD_HOURS: Final = 24.0


@dataclass(frozen=True)
class Check:
    """One thing that must hold for the service to be ready.

    Attributes:
        is_ok: whether it holds.
        detail: what was found.
        is_required: whether the service isn't ready without it.
    """

    is_ok: bool
    detail: str
    is_required: bool = True


class Service:
    """The parts of one service, and what follows from them together."""

    def __init__(
        self,
        config: ServiceConfig,
        champion: ChampionWatch | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read the keys; models and tables come with the first looks.

        Raises:
            ConfigError: if the keys file doesn't fit.
            InputError: if the mapping names a profile that can't be read.
        """
        if config.ingest.mapping and config.ingest.mapping.profile:
            open_profiles(config.ingest.mapping.profile)
        self.config, self.now = config, now
        self.champion = champion or ChampionWatch(
            PublishedChampion(config.lakehouse), config.scoring
        )
        self.scores = NewestPartition(config.lakehouse, SCORES, read_users)
        self.lists = NewestPartition(config.lakehouse, RETENTION_LISTS, read_users)
        self.built_lists = NewestPartition(config.lakehouse, BUILT_LISTS, read_all)
        self.drift = NewestPartition(config.lakehouse, DRIFT, read_all)
        self.alerts = NewestPartition(config.lakehouse, ALERTS, read_all)
        self.decisions = NewestPartition(config.lakehouse, DECISIONS, read_all)
        self.performance = NewestPartition(config.lakehouse, PERFORMANCE, read_all)
        self.effect = NewestPartition(config.lakehouse, EFFECT, read_all)
        self.log_start = LogStart(config.lakehouse)
        # A list is written before its note: the note's look comes first, and the list's finds it.
        self.tables: tuple[TableWatch, ...] = (
            self.scores,
            self.built_lists,
            self.lists,
            self.drift,
            self.alerts,
            self.decisions,
            self.performance,
            self.effect,
            self.log_start,
        )
        self.contacts = ContactInbox(config.lakehouse)
        self.nights = NightWatch(config.lakehouse, config.schedule)
        self.figures = Figures()
        self._privacy_key = _find_privacy_key(config)
        self.keys = KeyWatch(config.serving)
        self.sessions = Sessions(
            lambda: self.ring,
            config.serving.sign_in_hours,
            root_path=config.serving.root_path,
        )
        self.strangers = Strangers(config.serving.wrong_keys_per_minute)
        # The users of one date and one model are chosen once, not at every request.
        self._scores_of = lru_cache(maxsize=1)(of_one_model)

    @property
    def ring(self) -> KeyRing:
        """The keys that are good now."""
        return self.keys.ring

    def looks(self) -> list[Callable[[], None]]:
        """What has to be looked at again and again."""
        return [
            self.keys.look,
            self.champion.look,
            *(table.look for table in self.tables),
            self.nights.look,
            self._measure,
        ]

    def today(self, source: Source = "list") -> Today:
        """The newest retention list, unless it is older than the scores; else the scores.

        Raises:
            RequestError: while there is neither, or a list was built whose users could not be
                read yet, with status 503.
        """
        if source == "scores":
            return Today("scores", *self.scores_of_today())
        listed, scores = self._newest_list(), self.scores.newest
        if listed and (scores is None or scores.day <= listed.day):
            return listed
        day, users = self.scores_of_today()
        found = f"the newest is of {listed.day}" if listed else "there is none"
        note = (
            f"No retention list has been built for {day}: {found}. This is everybody who "
            "was scored, highest risk first; `build_retention_list` builds the list."
        )
        return Today("scores", day, users, note)

    def _newest_list(self) -> Today | None:
        """The newest list that was built; it may have no rows, which only its note tells.

        Raises:
            RequestError: if its note says that it has users, and they could not be read yet.
        """
        built = self.built_lists.newest
        # Asked before the list is: one that is read meanwhile must not count as looked for.
        is_looked_for = self.lists.is_readable and self.lists.n_looks >= self.built_lists.n_looks
        listed = self.lists.newest
        if built and (listed is None or listed.day < built.day):
            n_listed = built.rows["n_listed"][0].as_py()
            # All who were listed may have been erased since: then there is nobody to be read.
            if n_listed and not is_looked_for:
                raise RequestError(
                    f"found the note of a retention list of {built.day} with "
                    f"{count_of(n_listed, 'user')}, but not yet the list: "
                    f"{self.lists.problem or 'it is being read'}; ask again",
                    503,
                    retry_after=math.ceil(self.config.serving.poll_seconds),
                )
            day, users = built.day, nobody()
        elif listed:
            day, users = listed.day, listed.rows
        else:
            return None
        if len(users):
            return Today("list", day, users)
        note = (
            f"Nobody is to be called: the retention list of {day} was built and is empty. All who "
            "could be on it rest, are suppressed, withheld or left alone, or have nothing at risk."
        )
        return Today("list", day, users, note)

    def id_in_tables(self, user_id: str) -> str:
        """The id to look a user up by: the pseudonym of a clear one, if the tables have these.

        Without the key a user is found by the pseudonym only.
        """
        pseudonym = self.pseudonym(user_id)
        if pseudonym is None:
            return user_id
        _, users = self.scores_of_today()
        is_pseudonym = len(user_id) == len(pseudonym) and users.find(pseudonym) is None
        return user_id if is_pseudonym else pseudonym

    def pseudonym(self, user_id: str) -> str | None:
        """What tables know the user of a clear id by; None where the service has no key for it."""
        return pseudonym_of(user_id, self._privacy_key) if self._privacy_key else None

    def scores_of_today(self) -> tuple[date, Users]:
        """The newest date with scores, and its users in the order of their risk.

        Raises:
            RequestError: while there are no scores, with status 503.
        """
        scores = self.scores.current()
        predictor = self.champion.predictor
        version = predictor.bundle.version if predictor else None
        return scores.day, self._scores_of(scores.rows, version)

    def first_day(self, predictor: Predictor) -> date:
        """First date of the log: that of the lakehouse, or else of the log the model has seen.

        Raises:
            RequestError: if neither is known, with status 503.
        """
        behaviour = predictor.bundle.behaviour
        day = self.log_start.day or (behaviour.log_start if behaviour else None)
        if day is None:
            raise RequestError(
                "the first day of the log is not known: there is no table silver/log_dates, and "
                "the model in use does not know it either; run `build_session_days`",
                503,
            )
        return day

    def checks(self) -> dict[str, Check]:
        """What must hold: a model answers, it is the champion, the scores are of today."""
        predictor, problem = self.champion.predictor, self.champion.problem
        if predictor:
            since = f"{predictor.loaded_at:%Y-%m-%d %H:%M} UTC"
            model = Check(True, f"version {predictor.bundle.version}, since {since}")
        else:
            model = Check(False, problem)
        is_current = predictor is not None and not problem
        return {
            "model": model,
            "champion": Check(is_current, problem or "the published champion answers", False),
            "scores": self._check_scores(),
            "night": self._check_night(),
            "keys": self._check_keys(),
            "tables": self._check_tables(),
        }

    def _check_tables(self) -> Check:
        """What can't be read is shown as it was before."""
        problems = [table.problem for table in self.tables if not table.is_readable]
        found = f"{'; '.join(problems)}: shown as before" if problems else "all can be read"
        return Check(not problems, found, False)

    def _check_keys(self) -> Check:
        """What a request must bring, and whether a changed file of keys is in force."""
        if self.keys.problem:
            return Check(False, self.keys.problem, False)
        if not self.config.serving.require_key:
            return Check(True, "no API key is required (serving.require_key=false)", False)
        known = count_of(len(self.keys.ring.keys), "API key")
        return Check(True, f"an API key is required; {known} known", False)

    def _check_scores(self) -> Check:
        """Scores are as old as their date: to write those of an old date again renews nothing."""
        newest, problem = self.scores.newest, self.scores.problem
        if newest is None:
            return Check(False, problem or "no scores yet: run `nightly`")
        limit = self.config.serving.max_scores_age_hours
        hours = self._hours_since(_start_of(newest.day))
        found = f"the scores are as of {newest.day}"
        if problem:
            found += f"; {problem}"
        if hours > limit:
            return Check(
                False,
                f"{found}, {_age_in_words(hours)} old; the limit is {limit:g} hours. Run `nightly` "
                "for today; for a log of the past raise serving.max_scores_age_hours",
            )
        if hours < -_AHEAD_HOURS:
            return Check(False, f"{found}; expected no later date than tomorrow's")
        return Check(True, f"{found}, written {self._hours_since(newest.written_at):.1f} hours ago")

    def _check_night(self) -> Check:
        """That the expected night has finished: an alarm, but no reason to stop answering."""
        found, is_late = self.nights.describe(self.now())
        return Check(not is_late, found, False)

    def _hours_since(self, instant: datetime) -> float:
        return (self.now() - instant).total_seconds() / 3600

    def _measure(self) -> None:
        """Bring the gauges up to date."""
        checks, figures = self.checks(), self.figures
        figures.is_ready.set(is_ready(checks))
        figures.is_behind.set(not checks["champion"].is_ok)
        figures.champion.clear()
        if self.champion.predictor:
            figures.champion.labels(self.champion.predictor.bundle.version).set(1)
        if self.scores.newest:
            figures.scores_age.set(self._hours_since(_start_of(self.scores.newest.day)) * 3600)
        now = self.now()
        newest, lateness = self.nights.newest(now), self.nights.lateness(now)
        figures.newest_night.set(_start_of(newest).timestamp() if newest else 0)
        figures.expected_night.set(_start_of(lateness.expected).timestamp() if lateness else 0)
        figures.night_late.set(lateness.seconds_late if lateness else 0)


def _find_privacy_key(config: ServiceConfig) -> bytes:
    """The key of the pseudonyms; empty where there are none, or the service wasn't given it."""
    if not config.privacy.pseudonymise:
        return b""
    try:
        return read_privacy_key()
    except ConfigError as error:
        _log.warning("users are found by their pseudonyms only: %s", error)
        return b""


def is_ready(checks: Mapping[str, Check]) -> bool:
    """Whether every required check holds."""
    return all(check.is_ok for check in checks.values() if check.is_required)


def describe_model(predictor: Predictor) -> dict[str, Any]:
    """The model's card: what it is, what it was trained on, how it was judged."""
    bundle = predictor.bundle
    return {
        "model_version": bundle.version,
        "feature_fingerprint": bundle.encoding.fingerprint,
        "predicts": dict(bundle.label),
        "base_rate": bundle.base_rate,
        "bands": {"high": predictor.limits.high, "medium": predictor.limits.medium},
        "features": list(bundle.encoding.features),
        "n_trees": bundle.booster.num_trees(),
        "metrics": {name: _number(value) for name, value in bundle.metrics.items()},
        "trained_on": dict(predictor.trained_on),
        "loaded_at": _second(predictor.loaded_at),
    }


def _age_in_words(hours: float) -> str:
    """An age from the hours that have passed: `40 hours`, `3 days`, `7.9 years`."""
    days = hours / 24
    if days < 3:
        return f"{hours:.0f} hours"
    return f"{days:,.0f} days" if days < 730 else f"{days / 365.25:.1f} years"


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _second(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")


def _number(value: float) -> float | None:
    """JSON has no NaN; a metric that could not be computed is null."""
    return None if math.isnan(value) else value
