"""A lakehouse as an analyst meets it: tables, features as of a date, the champion, its figures.

Everything is read, nothing written, and no lock is taken: what is read is what the last run has
left. Spark, MLflow and matplotlib are loaded when something asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date as Date
from functools import cached_property
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

    from churn_spark.api.champion import Champion
    from churn_spark.api.effect import Effect
    from churn_spark.api.evaluation import Evaluation
    from churn_spark.api.night import Night
    from churn_spark.api.rows import Rows, Table
    from churn_spark.api.user import User
    from churn_spark.config import Config
    from churn_spark.lakehouse.readable import ReadableLakehouse
    from churn_spark.runtime.session import StartingSession
    from churn_spark.timeline import LogSpan


class Lakehouse:
    """A lakehouse to look into; opened by `Lakehouse.open`.

    Attributes:
        config: the configuration by which features, labels and costs are understood.
    """

    config: Config

    def __init__(self, config: Config, root: str) -> None:
        self.config = config
        self._root = root
        self._session: StartingSession | None = None

    @classmethod
    def open(
        cls, path: str | None = None, *, env: str = "local", settings: Sequence[str] = ()
    ) -> Self:
        """Open a lakehouse. Nothing is started: this takes as long as reading the configuration.

        Args:
            path: its folder, or its address on object storage; that of the configuration, which is
                `$LAKEHOUSE` or `./lakehouse`, where none is given.
            env: name of a file of the configuration.
            settings: `section.key=value` each, as `--set` takes them.

        Raises:
            InputError: if there is no lakehouse, or only Spark reaches it.
            ConfigError: if the configuration doesn't fit.
        """
        from churn_spark.config import load_config
        from churn_spark.pipeline.tables_without_spark import find_root, open_all, require_tables

        of_path = [] if path is None else [f"lakehouse={json.dumps(str(path))}"]
        config = load_config(env, [*settings, *of_path])
        root = find_root(config.lakehouse)
        require_tables(root, open_all(root))
        return cls(config, root)

    @property
    def root(self) -> str:
        """Where it is."""
        return self._root

    def __repr__(self) -> str:
        return f"Lakehouse({self._root!r})"

    def tables(self) -> pd.DataFrame:
        """The tables that are there: name, what a row is, and how many there are."""
        import pandas as pd

        from churn_spark.lakehouse.sql import names_of
        from churn_spark.pipeline.tables_without_spark import open_all

        there = open_all(self._root)
        return pd.DataFrame(
            {
                "table": [names_of(spec)[0] for spec in there],
                "one_row_is": [spec.grain for spec in there],
                "rows": [table.count({}) for table in there.values()],
            }
        )

    def table(self, name: str) -> Table:
        """A table by its name, `ml.scores` or `scores`; nothing is read before it is asked for.

        Raises:
            QueryError: if there is no such table; it names the one that was probably meant.
        """
        from churn_spark.api.rows import Table
        from churn_spark.contracts.tables import TABLES
        from churn_spark.errors import QueryError
        from churn_spark.lakehouse.sql import names_of
        from churn_spark.pipeline.query import explain_table

        named = {one: spec for spec in TABLES for one in names_of(spec)}
        if name not in named or not self._tables.exists(named[name]):
            raise QueryError(explain_table(name, self._root))
        return Table(self._tables, named[name])

    def sql(self, statement: str) -> pd.DataFrame:
        """The rows that a statement in SQL gives, without Spark: as `churn-spark query` does.

        Raises:
            QueryError: if it does something else than to read, or names what isn't there.
        """
        import pyarrow as pa

        from churn_spark.lakehouse.arrow_schema import to_frame
        from churn_spark.pipeline import query

        answer = query.run(self._root, statement)
        return to_frame(pa.Table.from_batches([*answer.batches], answer.schema))

    @cached_property
    def log(self) -> LogSpan:
        """The dates that the log covers: `start` is the first, `end` the day after the last.

        Raises:
            InputError: if there is no event.
        """
        from churn_spark.pipeline.dates import read_log_dates

        return read_log_dates(self._tables).span

    def features(self, as_of: Date | str) -> Rows:
        """Every feature of every user of the population, knowing only what came before a date.

        They are computed from the session days as they are now, by what the nights use, for any
        date of the log: whether a night has stored them or not. Of a date that was scored, what
        its night saw is `snapshot`.

        Args:
            as_of: a date after the log's first, up to the day after its last.

        Raises:
            InputError: if the log has nothing before the date, or ends before it.
        """
        from churn_spark.api.dates import as_date, require_in_log
        from churn_spark.api.features import features_of

        day = as_date(as_of)
        require_in_log(day, self.log)
        return features_of(self._tables, day, self.log, self.config.learning)

    def snapshot(self, as_of: Date | str) -> Table:
        """The features that were stored as of a date, as the night saw them that used them.

        Raises:
            InputError: if none are stored for the date; it names the nearest dates that have some.
        """
        return self._of_date("gold.snapshots", "as_of", as_of)

    def scores(self, as_of: Date | str) -> Table:
        """Probability, band, rank and reasons of each user as of a date that was scored.

        Raises:
            InputError: if the date wasn't scored; it names the nearest dates that were.
        """
        return self._of_date("ml.scores", "as_of", as_of)

    def retention_list(self, as_of: Date | str) -> Table:
        """All rows of a night's list, those withheld or left alone among them; none if empty.

        Only those with `assignment` `listed` are to be talked to, in the order of `list_rank`;
        `control` is withheld to compare with, and `left_alone` is driven away by calls.

        Raises:
            InputError: if there is no list of the date; it names the nearest dates that have one.
        """
        from churn_spark.api.dates import as_date
        from churn_spark.contracts.tables import BUILT_LISTS

        day = as_date(as_of)
        if day in self._tables.partition_values(BUILT_LISTS, "as_of"):
            return self.table("ml.retention_lists").where(as_of=day)
        return self._of_date("ml.retention_lists", "as_of", as_of)

    def dates(self, name: str) -> list[Date]:
        """The dates that a table has rows of, oldest first.

        Raises:
            QueryError: if there is no such table, or it isn't kept by date.
        """
        from churn_spark.errors import QueryError

        table = self.table(name)
        dates = {one.name for one in table.spec.columns if one.data_type == "date"}
        kept_by = [one for one in table.spec.partition_by if one in dates]
        if not kept_by:
            raise QueryError(
                f"found {table.name}, which isn't kept by date, expected one that is, such as "
                "gold.snapshots: read the table itself"
            )
        return self._tables.partition_values(table.spec, kept_by[0])

    def labelled(self, dates: Collection[Date | str] = ()) -> pd.DataFrame:
        """Stored features with what became of the users: the rows that a model could learn from.

        Rows whose label isn't known yet, or who cancel before the window, are left out.

        Grain: (as_of, user_id); the features, and `label`: 1 cancels in the window, 0 does not.

        Args:
            dates: as-of dates; all that are stored where none are given.
        """
        names = dates if len(dates) else self.dates("gold.snapshots")
        horizon = self.config.labels.horizon
        labels = self.table("gold.labels").where(
            as_of=names, horizon_days=horizon.days, gap_days=horizon.gap_days
        )
        known = labels.select("as_of", "user_id", "label").pandas().dropna()
        rows = self.table("gold.snapshots").where(as_of=names).pandas()
        return rows.merge(known.astype({"label": int}), on=["as_of", "user_id"])

    def user(self, user_id: str) -> User:
        """One user through time: days, stored features, scores and lists.

        Raises:
            InputError: if the log has no such user.
        """
        from churn_spark.api.user import User

        return User.find(self._tables, user_id)

    @property
    def champion(self) -> Champion:
        """The model that scores tonight, as it was published.

        Raises:
            NoChampionError: before the first training.
        """
        from churn_spark.api.champion import Champion

        return Champion.read(self._tables)

    @property
    def predicts(self) -> str:
        """What churn is here, in a sentence: what the champion predicts, or the first one would."""
        from churn_spark.churn_words import describe_prediction
        from churn_spark.errors import NoChampionError

        try:
            return describe_prediction(self.champion.model.label)
        except NoChampionError:
            return describe_prediction(self.config.labels.definition)

    def evaluation(self) -> Evaluation:
        """The newest backtest: figures with intervals, predictions, and the charts of its page.

        Raises:
            MissingTableError: before the first backtest.
        """
        from churn_spark.api.evaluation import Evaluation
        from churn_spark.reports.store import read_evaluation

        return Evaluation(read_evaluation(self._tables, self.config.costs))

    def night(self, date: Date | str | None = None) -> Night:
        """What a night has measured and decided, and the charts of its page.

        Args:
            date: of the night; the newest where none is given.

        Raises:
            MissingTableError: if there was no such night.
        """
        from churn_spark.api.dates import as_date
        from churn_spark.pipeline.context import quiet_mlflow

        quiet_mlflow()
        from churn_spark.api.night import Night

        return Night.read(self._tables, self.config, None if date is None else as_date(date))

    def decisions(self) -> pd.DataFrame:
        """What every night has decided and why, in order.

        Grain: one decision; a night may have several.
        """
        columns = ("run_date", "sequence", "kind", "rule", "version", "reason")
        rows = self.table("monitoring.decisions").select(*columns).pandas()
        return rows.sort_values(["run_date", "sequence"], ignore_index=True)

    def replay(self, **thresholds: float | bool) -> pd.DataFrame:
        """The nights decided again by the same function, with other thresholds if some are given.

        Models that were never trained are not made up: each retraining counts as one in vain.

        Grain: one judged night; `decided` beside `otherwise`, with the `reason` of the latter, and
        `is_otherwise`, which leaves out nights on which a challenger was judged: none is again.

        Args:
            thresholds: of the section `policy`, such as `enter_lower_bound=0.06`; those that are
                not given are as configured.

        Raises:
            ConfigError: if there is no such threshold, or a value doesn't fit.
            MissingTableError: if no night was judged yet.
        """
        from churn_spark.api.replay import replay_nights

        return replay_nights(self._tables, self.config.policy, thresholds)

    def effect(self) -> Effect:
        """What being on a list, and being contacted, has changed so far."""
        from churn_spark.api.effect import Effect

        return Effect.read(self._tables)

    @property
    def spark(self) -> SparkSession:
        """The session by which tables are read as Spark's frames; started when first asked for.

        Raises:
            MachineError: if Java or the jars are missing.
        """
        return self._tables.spark

    def close(self) -> None:
        """Stop Spark, if it was started here; it ends with Python otherwise.

        A session that was there before, such as a notebook's own, goes on.
        """
        if self._session is not None:
            self._session.stop()
            self._session = None
            del self.__dict__["_tables"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _tables(self) -> ReadableLakehouse:
        from churn_spark.lakehouse.readable import ReadableLakehouse

        return ReadableLakehouse(self._root, self._start_spark, self.config.spark.max_local_users)

    def _start_spark(self) -> SparkSession:
        from churn_spark.runtime.session import StartingSession, has_session

        is_another = has_session()
        starting = StartingSession(self.config.spark, "notebook", places=[self._root])
        self._session = None if is_another else starting
        return starting.wait()

    def _of_date(self, name: str, column: str, day: Date | str) -> Table:
        from churn_spark.api.dates import as_date, nearest
        from churn_spark.errors import InputError

        wanted, there = as_date(day), self.dates(name)
        if wanted not in there:
            raise InputError(
                f"found no rows of {wanted} in {name}, expected a date that has some, such as "
                f"{nearest(wanted, there)}: dates({name!r}) lists them"
            )
        return self.table(name).where(**{column: wanted})
