"""The Python interface on a small lakehouse: what it reads, what it says of mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from api_builders import STORED, add_model, load_log, records, write_nights
from builders import bytes_of
from markdown_blocks import ROOT

from churn_spark import Lakehouse
from churn_spark.api.effect import Effect
from churn_spark.api.night import Night
from churn_spark.contracts.tables import BUILT_LISTS, EFFECT, RETENTION_LISTS
from churn_spark.errors import (
    ConfigError,
    FingerprintError,
    InputError,
    MissingTableError,
    NoChampionError,
    QueryError,
    UserError,
)
from churn_spark.pipeline.behaviour import with_behaviour
from tests import oracle_features, oracles
from tests.local_lakehouse import open_local
from tests.night_builders import build_nights

ANY_DATE = date(2018, 11, 10)
"""No night has been there."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api") / "lakehouse"
    lakehouse = load_log(folder)
    add_model(folder)
    write_nights(lakehouse, build_nights(20, n_windows=1))
    return folder


@pytest.fixture
def lake(root: Path) -> Lakehouse:
    return Lakehouse.open(str(root))


def test_import_loads_no_large_library() -> None:
    large = ("pyspark", "pandas", "pyarrow", "polars", "mlflow", "matplotlib", "lightgbm")
    code = f"""
import sys
from churn_spark import Lakehouse
print([name for name in {large} if name in sys.modules])"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_list_of_nobody_has_no_rows(tmp_path: Path) -> None:
    tables = open_local(tmp_path)
    listed = pd.DataFrame([{**dict.fromkeys(RETENTION_LISTS.column_names), "as_of": STORED[0]}])
    tables.replace_rows(listed, RETENTION_LISTS, {})
    lake = Lakehouse.open(str(tmp_path))
    assert len(lake.retention_list(STORED[0]).pandas()) == 1
    with pytest.raises(InputError, match=f"no rows of {STORED[1]} in ml.retention_lists"):
        lake.retention_list(STORED[1])
    tables.replace_rows([(STORED[1], 0)], BUILT_LISTS, {})
    assert Lakehouse.open(str(tmp_path)).retention_list(str(STORED[1])).pandas().empty


def test_other_names_of_the_package_are_none() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Lakhouse'"):
        from churn_spark import Lakhouse  # noqa: F401


def test_whoever_looks_around_starts_no_spark_and_changes_no_byte(root: Path) -> None:
    before = bytes_of(root)
    lake = Lakehouse.open(str(root))
    lake.tables(), lake.features(ANY_DATE).pandas(), lake.champion.importance(), lake.labelled()
    assert "spark" not in vars(lake._tables)
    assert bytes_of(root) == before


def test_what_churn_is_comes_from_the_champion_or_else_from_the_configuration(
    lake: Lakehouse, tmp_path: Path
) -> None:
    silent = ("labels.churn=inactivity", "labels.horizon_days=30", "snapshots.active_days=30")
    of_cancels = "The chance to cancel in the 14 days that begin 1 day after the list's date."
    assert lake.predicts == of_cancels
    assert Lakehouse.open(lake.root, settings=silent).predicts == of_cancels
    load_log(tmp_path / "young")
    young = Lakehouse.open(str(tmp_path / "young"), settings=silent)
    assert young.predicts.startswith("The chance to churn in the 30 days")


def test_tables_say_what_a_row_is_and_how_many_there_are(lake: Lakehouse) -> None:
    told = lake.tables().set_index("table")
    days = lake.table("silver.session_days").pandas()
    assert told.loc["silver.session_days", "rows"] == len(days) > 40
    assert told.loc["gold.snapshots", "one_row_is"] == "as-of date x user of the population"


@pytest.mark.parametrize("name", ["ml.scores", "scores", "ml/scores"])
def test_table_has_the_names_that_sql_knows(name: str, lake: Lakehouse) -> None:
    assert lake.table(name).name == "ml.scores"
    assert lake.table(name).count() == 30


def test_arrow_and_pandas_hold_the_same_rows(lake: Lakehouse) -> None:
    table = lake.table("silver.session_days").select("user_id", "event_date", "n_songs")
    arrow, frame = table.arrow(), table.pandas()
    assert arrow.schema.names == ["user_id", "event_date", "n_songs"]
    assert arrow.schema.field("n_songs").type == pa.int64()
    assert frame.to_dict("list") == arrow.to_pydict()


def test_rows_are_narrowed_down_by_values_lists_and_ranges(lake: Lakehouse) -> None:
    days = lake.table("silver.session_days")
    everything = days.pandas()
    [one, other] = everything["user_id"].value_counts().index[:2]
    is_theirs = everything["user_id"].isin([one, other])
    own = sorted(everything.loc[is_theirs, "event_date"])
    _, first, *_, last, _ = sorted({*own})
    expected = [day for day in own if first <= day <= last]
    found = days.where(user_id=[one, other]).between("event_date", str(first), pd.Timestamp(last))
    assert sorted(found.pandas()["event_date"]) == expected
    assert found.count() == len(expected) < len(own)
    assert days.where(user_id=one).count() == (everything["user_id"] == one).sum() < len(own)


def test_rows_are_narrowed_down_further_and_never_widened(lake: Lakehouse) -> None:
    days = lake.table("silver.session_days")
    known = sorted({*days.pandas()["event_date"]})
    a, b, c, d = known[:4]
    tried = [
        (days.where(event_date=[c, b, a]).where(event_date=[b, c, d]), [b, c]),
        (days.where(event_date=[a, b, c]).between("event_date", b), [b, c]),
        (days.between("event_date", None, b).where(event_date=[b, c]), [b]),
        (days.between("event_date", b).between("event_date", None, c), [b, c]),
        (days.between("event_date", a, c).between("event_date", b, d), [b, c]),
        (days.between("event_date", b).between("event_date"), known[1:]),
        (days.where(event_date=a).where(event_date=b), []),
    ]
    for table, expected in tried:
        found = table.pandas()["event_date"]
        assert sorted({*found}) == expected
        assert table.count() == len(found)
    assert lake.scores(lake.dates("ml.scores")[-1]).where(as_of=ANY_DATE).count() == 0


def test_sql_reads(lake: Lakehouse) -> None:
    found = lake.sql("select count(*) as n, max(event_date) as last from silver.session_days")
    assert found["n"][0] == lake.table("session_days").count()
    assert found["last"][0] == max(lake.table("session_days").pandas()["event_date"])


@pytest.mark.parametrize("as_of", [STORED[0], str(STORED[1])])
def test_features_equal_what_is_stored(as_of: date | str, lake: Lakehouse) -> None:
    built = lake.features(as_of).pandas()
    stored = lake.snapshot(as_of).pandas().sort_values("user_id", ignore_index=True)
    assert len(built) > 5
    pd.testing.assert_frame_equal(built, stored, check_exact=True)


def test_features_of_any_date_equal_the_oracle(lake: Lakehouse) -> None:
    events = oracles.accept_events(records())
    expected = oracle_features.features_as_of(events, ANY_DATE)
    found = lake.features(ANY_DATE).pandas().set_index("user_id")
    assert {*found.index} == {*expected}
    for user, features in expected.items():
        row = found.loc[user]
        for name, value in features.items():
            if name in row and isinstance(value, int | float):
                assert row[name] == pytest.approx(value), (user, name)


def test_what_comes_later_changes_no_feature(lake: Lakehouse, tmp_path: Path) -> None:
    end = oracles.millis_of(ANY_DATE)
    before = [one for one in records() if not isinstance(one["ts"], int) or one["ts"] < end]
    assert len(before) < len(records())
    shorter = load_log(tmp_path / "lakehouse", (STORED[0],), before)
    found = Lakehouse.open(shorter.root).features(ANY_DATE).pandas()
    pd.testing.assert_frame_equal(found, lake.features(ANY_DATE).pandas(), check_exact=True)


def test_labelled_rows_are_those_whose_label_is_known(lake: Lakehouse) -> None:
    rows, labels = lake.labelled(), lake.table("gold.labels").pandas()
    known = labels[labels["label"].notna()]
    expected = {(r.as_of, r.user_id): int(r.label) for r in known.itertuples()}
    found = {(r.as_of, r.user_id): r.label for r in rows.itertuples()}
    assert found == expected
    assert {*lake.labelled([STORED[0]])["as_of"]} == {STORED[0]}
    assert {*lake.labelled(pd.to_datetime([STORED[0]]))["as_of"]} == {STORED[0]}
    assert Lakehouse.open(f"{lake.root}//").root == lake.root


def test_champion_says_what_its_model_says(lake: Lakehouse) -> None:
    champion = lake.champion
    assert (champion.version, champion.trained_on["as_of"]) == ("7", "2018-11-30")
    assert champion.metrics["roc_auc"] == 0.71
    told = champion.importance()
    assert told["share"].sum() == pytest.approx(1)
    assert told["share"].is_monotonic_decreasing
    assert told.loc[0, "feature"] == "behaviour_probability"
    assert told.loc[0, "meaning"]
    rows = lake.snapshot(STORED[1]).pandas()
    risks = champion.predict(rows)
    described = with_behaviour(open_local(lake.root), rows, champion.model)
    assert [*risks["user_id"]] == [*rows["user_id"]]
    assert [*risks["churn_probability"]] == [*champion.model.probabilities(described)]
    assert risks["churn_probability"].nunique() > 3


def test_champion_of_other_features_predicts_nothing(lake: Lakehouse) -> None:
    champion = lake.champion
    encoding = replace(champion.model.encoding, fingerprint="of an older release")
    vars(champion)["model"] = replace(champion.model, encoding=encoding)
    with pytest.raises(FingerprintError):
        champion.predict(lake.snapshot(STORED[1]).pandas())


def test_evaluation_has_its_figures_and_the_charts_of_its_page(lake: Lakehouse) -> None:
    evaluation = lake.evaluation()
    ladder = evaluation.ladder("roc_auc")
    assert ladder["value"].is_monotonic_decreasing
    assert evaluation.ladder("log_loss")["value"].is_monotonic_increasing
    slopes = evaluation.ladder("calibration_slope")["value"].dropna()
    assert (slopes - 1.0).abs().is_monotonic_increasing
    assert {"lightgbm", "rule", "oracle"} <= {*ladder["model"]}
    assert {"ladder", "gains", "roc", "calibration", "costs"} <= evaluation.charts.keys()
    assert evaluation.figure("gains").axes[0].get_ylabel() == "share of cancellers among them"
    with pytest.raises(InputError, match=r"found no chart gain \(did you mean gains\?\)"):
        evaluation.figure("gain")
    with pytest.raises(InputError, match=r"found no metric auc, expected one of .*roc_auc"):
        evaluation.ladder("auc")


def test_night_has_the_charts_of_its_page() -> None:
    night = Night(build_nights(30, n_windows=2))
    assert night.charts.keys() == {"distribution", "drift", "performance", "happened"}
    assert night.figure("drift").axes
    assert not night.drift().empty


def test_nights_are_decided_again_by_other_thresholds(lake: Lakehouse) -> None:
    same = lake.replay()
    assert len(same) > 10
    decided = lake.decisions()
    assert {*same["night"]} <= {*decided["run_date"]}
    assert decided.loc[0, ["kind", "rule"]].tolist() == ["promote", "first"]
    eager = lake.replay(self_calibrate=False, enter_lower_bound=0.002, exit_statistic=0.001)
    assert eager["otherwise"].str.startswith("retrain").sum() > (
        same["otherwise"].str.startswith("retrain").sum()
    )


def test_user_is_seen_through_time(lake: Lakehouse) -> None:
    cancelled = lake.sql("select user_id from session_days where cancel_ts is not null limit 1")
    user = lake.user(cancelled["user_id"][0])
    assert isinstance(user.cancelled_at, datetime)
    days = user.days()
    assert days["songs"].sum() == user.sessions["n_songs"].sum()
    assert days.index.is_monotonic_increasing
    assert {*user.snapshots["as_of"]} <= {*STORED}


def test_effect_is_empty_before_the_first_week(lake: Lakehouse) -> None:
    effect = lake.effect()
    assert (effect.sentences(), effect.users_needed(0.3)) == ([], None)
    assert effect.newest().empty
    assert effect.by_week().empty


def test_effect_is_that_of_the_newest_night() -> None:
    row = dict.fromkeys(EFFECT.column_names, 0.0) | {
        "campaign": "retention", "control_share": 0.1, "period": "total", "slice": "all",
        "basis": "listed", "n_weeks": 1, "saved": 0.04,
        "n_listed": 900, "n_listed_cancel": 90, "n_control": 100, "n_control_cancel": 14,
    }  # fmt: skip
    nights = [date(2018, 12, 3), date(2018, 12, 10)]
    rows = [{**row, "run_date": night, "week_start": night} for night in nights]
    other = {**rows[1], "slice": "level=paid"}
    ended = {**rows[0], "campaign": "spring"}
    effect = Effect(pd.DataFrame([*rows, other, ended]))
    assert [*effect.newest()["campaign"]] == ["retention"] * 2
    assert [*effect.by_week()["run_date"]] == [nights[0], *nights]
    few, many = (effect.users_needed(saving) for saving in (0.5, 0.1))
    assert few is not None
    assert many is not None
    assert 0 < few < many


@dataclass(frozen=True)
class Mistake:
    """What somebody may ask for, and what they are told."""

    ask: Callable[[Lakehouse], Any]
    kind: type[UserError]
    told: str = field(default="")


@pytest.mark.parametrize(
    "mistake",
    [
        Mistake(lambda lake: lake.table("ml.score"), QueryError, r"did you mean ml\.scores\?"),
        Mistake(lambda lake: lake.table("gold.scores"), QueryError, r"did you mean ml\.scores\?"),
        Mistake(lambda lake: lake.table("ml.contacts"), QueryError, "no run has written"),
        Mistake(
            lambda lake: lake.table("ml.scores").where(as_off=1), QueryError, r"did you mean as_of"
        ),
        Mistake(lambda lake: lake.table("ml.scores").select("rank"), QueryError, "risk_rank"),
        Mistake(
            lambda lake: lake.table("ml.scores").where(user_id=7), QueryError, "found 7 for user_id"
        ),
        Mistake(
            lambda lake: lake.table("ml.scores").between("churn_probability", 0.1),
            QueryError,
            "churn_probability, which is a double",
        ),
        Mistake(lambda lake: lake.dates("bronze.files"), QueryError, "isn't kept by date"),
        Mistake(lambda lake: lake.dates("bronze.events"), QueryError, "events, which isn't kept"),
        Mistake(
            lambda lake: lake.sql("drop table scores"),
            QueryError,
            "no SQL statement that only reads",
        ),
        Mistake(
            lambda lake: lake.snapshot("2018-10-23"),
            InputError,
            "found no rows of 2018-10-23 in gold.snapshots.* such as 2018-10-22, 2018-11-12",
        ),
        Mistake(lambda lake: lake.features("2018-10-01"), InputError, "after 2018-10-01"),
        Mistake(lambda lake: lake.features("2031-01-01"), InputError, "up to"),
        Mistake(lambda lake: lake.features("1 Nov"), InputError, "'1 Nov', expected YYYY-MM-DD"),
        Mistake(lambda lake: lake.user("nobody"), InputError, "found no user 'nobody'"),
        Mistake(lambda lake: lake.replay(enter_lower=1), ConfigError, "did you mean enter_"),
        Mistake(
            lambda lake: lake.replay(enter_lower_bound=0.01, exit_statistic=0.02),
            ConfigError,
            "exit_statistic 0.02 must be at most enter_lower_bound",
        ),
        Mistake(lambda lake: lake.night("2018-10-05"), MissingTableError, "no night of 2018-10-05"),
    ],
    ids=lambda mistake: mistake.told[:25],
)
def test_mistake_is_answered_by_what_to_do(mistake: Mistake, lake: Lakehouse) -> None:
    with pytest.raises(mistake.kind, match=mistake.told) as caught:
        mistake.ask(lake)
    assert any(way in str(caught.value) for way in ("expected", "must be", "use "))


def test_where_no_lakehouse_is_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of this project's tables.*make demo"):
        Lakehouse.open(str(tmp_path / "nowhere"))
    assert not [*tmp_path.iterdir()]


def test_storage_that_only_spark_reaches_is_refused() -> None:
    with pytest.raises(InputError, match="only by way of Spark"):
        Lakehouse.open("dbfs://somewhere")


def test_before_the_first_training_there_is_no_champion_and_no_night(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path / "lakehouse")
    lakehouse.replace_rows([], EFFECT, {"run_date": [ANY_DATE]})
    lakehouse.create(EFFECT)
    lake = Lakehouse.open(lakehouse.root)
    with pytest.raises(NoChampionError, match="no champion is published"):
        _ = lake.champion
    with pytest.raises(MissingTableError, match="found no night"):
        lake.night()
    with pytest.raises(MissingTableError, match="found no backtest"):
        lake.evaluation()


def test_lakehouse_of_the_configuration_is_opened_where_none_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE", str(root))
    assert Lakehouse.open().root == str(root)
    assert Lakehouse.open(settings=["snapshots.active_days=3"]).config.snapshots.active_days == 3
