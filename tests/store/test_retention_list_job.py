"""The job: table and CSV of a date, built twice, on the next day, and with a bad file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest

from bench import flow
from churn_spark.config import Config
from churn_spark.contracts.contact import Contact
from churn_spark.contracts.places import IN_LOG
from churn_spark.contracts.tables import (
    BUILT_LISTS,
    CONTACTS,
    LOG_DATES,
    RETENTION_LISTS,
    SCORES,
    SNAPSHOTS,
)
from churn_spark.errors import InputError, MissingTableError
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.uplift.model import UpliftModel, uplift_encoding
from churn_spark.models.uplift.response import Response
from churn_spark.models.uplift.store import keep_uplift
from churn_spark.monitoring.policy.evidence import Evidence, OrderEvidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.order import decide_order
from churn_spark.monitoring.policy.policy import start_policy
from churn_spark.pipeline.context import JobContext
from churn_spark.serving.contact_inbox import ContactInbox
from churn_spark.stores.decisions import write_night
from tests.list_builders import small_bundle

_DAYS = (date(2018, 11, 5), date(2018, 11, 6))
_PEOPLE = {
    _DAYS[0]: {"=1+1": (0, "free"), "b": (2, "paid"), "c": (50, "paid"), "d": (50, "free")},
    _DAYS[1]: {"=1+1": (50, "paid"), "b": (2, "paid"), "c": (0, "free"), "d": (50, "free")},
}


def configured(context: JobContext, **changes: object) -> JobContext:
    values = context.config.model_dump()
    values["retention_list"] |= {"capacity": 2, "control_share": 0.0, **changes}
    return JobContext(Config.model_validate(values), context.lakehouse)


def write_scores(
    context: JobContext, scored: Mapping[date, Mapping[str, tuple[int, str]]] = _PEOPLE
) -> None:
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    with registry.run("lightgbm", {"as_of": str(_DAYS[0])}) as run_id:
        version = registry.register(small_bundle(""), run_id, {"roc_auc": 0.7})
    registry.assign_alias(version)
    context.lakehouse.replace_rows([(day, 1, IN_LOG) for day in scored], LOG_DATES, {})
    for day, people in scored.items():
        known = [
            {"as_of": day, "user_id": user, "songs_7d": songs, "last_subscription_level": level}
            for user, (songs, level) in people.items()
        ]
        rows = [tuple(one.get(name) for name in SNAPSHOTS.column_names) for one in known]
        frame = context.spark.createDataFrame(rows, struct_of(SNAPSHOTS))
        context.lakehouse.replace(frame, SNAPSHOTS, {"as_of": [day]})
        flow.score_users(context, day)


def stored(context: JobContext) -> list[tuple[object, ...]]:
    return sorted(
        (row.as_of, row.list_rank, row.user_id, row.on_list_since, row.previous_rank)
        for row in context.lakehouse.read(RETENTION_LISTS).collect()
    )


def noted(context: JobContext) -> dict[date, int]:
    rows = context.lakehouse.collect_rows(BUILT_LISTS)
    return {row.as_of: row.n_listed for row in rows}


def test_lists_of_two_days_and_their_files(
    context: JobContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = configured(context)
    with pytest.raises(MissingTableError, match="no table ml/scores"):
        flow.build_retention_list(context, _DAYS[0])
    write_scores(context)
    file = tmp_path / "list.csv"
    first, second = _DAYS
    flow.build_retention_list(context, first, file)
    assert pd.read_csv(file)["user_id"].tolist() == ["'=1+1", "b"]
    for day in (second, first, second):
        flow.build_retention_list(context, day, file)
    assert stored(context) == [
        (first, 1, "=1+1", first, None),
        (first, 2, "b", first, None),
        (second, 1, "c", second, None),
        (second, 2, "b", first, 2),
    ]
    said = [line for line in capsys.readouterr().out.splitlines() if "retention_list" in line]
    assert "2 users to call as of 2018-11-05; no earlier list; model version 1; " in said[0]
    assert "1 of 2 users of the previous list still on it (50%)" in said[1]
    assert [line.split("[")[0] for line in said[:2]] == [line.split("[")[0] for line in said[2:]]
    rows = pd.read_csv(file)
    assert rows["user_id"].tolist() == ["c", "b"]
    assert rows["days_on_list"].tolist() == [1, 2]
    changed = r"predicted risk would be \d+ % instead of \d+ % with: .* instead of .*"
    assert rows["would_help_1"].str.match(changed).all()
    suppressed = tmp_path / "suppressed.csv"
    suppressed.write_text("user_id,until\nb,2018-11-06\nc,\n")
    context = configured(context, suppressed=str(suppressed))
    flow.build_retention_list(context, second)
    # b may be called again from this date on; c never.
    assert [row[2] for row in stored(context) if row[0] == second] == ["b", "d"]
    assert noted(context) == {first: 2, second: 2}
    before = stored(context)
    suppressed.write_text("user_id,until\nb,soon\n")
    with pytest.raises(InputError, match="row 1 has until 'soon'") as raised:
        flow.build_retention_list(context, second)
    assert raised.value.exit_code == 2
    assert stored(context) == before
    suppressed.write_text("user_id,until\n=1+1,\nb,\nc,\nd,\n")
    # Sent of the list that is there now, and not merged yet.
    called = Contact(
        user_id="d", list_date=second, time=datetime(2018, 11, 6, 9, tzinfo=UTC),
        channel="call", outcome="accepted",
    )  # fmt: skip
    assert ContactInbox(context.config.lakehouse).keep([called], "team", "")
    flow.build_retention_list(context, second, file)
    assert [row for row in stored(context) if row[0] == second] == []
    assert pd.read_csv(file).empty
    assert noted(context) == {first: 2, second: 0}
    contacts = context.lakehouse.collect_rows(CONTACTS)
    assert [(row.list_date, row.user_id) for row in contacts] == [(second, "d")]


def test_nobody_was_on_the_list_before_where_that_was_empty(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    context = configured(context, quiet_days=2)
    days = [_DAYS[0] + timedelta(days=day) for day in range(3)]
    write_scores(context, {day: {"a": (0, "free"), "b": (2, "paid")} for day in days})
    for day in days:
        flow.build_retention_list(context, day)
    assert noted(context) == dict(zip(days, (2, 0, 2), strict=True))
    full = {days[0], days[2]}
    assert {(day, since, rank) for day, _, _, since, rank in stored(context)} == {
        (day, day, None) for day in full
    }
    assert "nobody on the previous list" in capsys.readouterr().out


def test_list_is_by_effect_where_a_night_before_has_said_so(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    context = configured(context, control_share=0.1, campaign="spring")
    write_scores(context)
    night, day = _DAYS
    moment = datetime.combine(night, time(12))
    contact = (night, "b", moment, "call", "", 1.0, "reached")
    context.lakehouse.replace_rows([contact], CONTACTS, {"list_date": [night]})
    order = OrderEvidence(night, "spring", 0.1, 900, 90, 100, 20, 20, low=0.01, high=0.03)
    order = replace(order, difference=0.02)
    policy = context.config.policy
    state, evidence = start_policy("1", night, policy), Evidence(4, order=order)
    entry = Entry(0, decide_order(order, night), state, evidence, state, policy)
    write_night(context.lakehouse, night, [entry])
    encoding = uplift_encoding(small_bundle().encoding)
    # Calls keep a third of those who would cancel, and drive nobody away.
    model = UpliftModel(night, "spring", 0.1, encoding, Response(-0.5), Response(0.0), 0.0)
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    keep_uplift(registry, model)
    for _ in range(2):
        flow.build_retention_list(context, day)
    rows = context.lakehouse.read(RETENTION_LISTS).toPandas()
    scored = context.lakehouse.read(SCORES).toPandas()
    known = context.lakehouse.read(SNAPSHOTS).toPandas().merge(scored, on=["as_of", "user_id"])
    users = known[known["as_of"] == day]
    expected = dict(zip(users["user_id"], model.saves(users), strict=True))
    assert rows["as_of"].unique().tolist() == [day]
    found = dict(zip(rows["user_id"], rows["expected_saves"], strict=True))
    assert found == pytest.approx({user: expected[user] for user in found})
    listed = rows[rows["assignment"] == "listed"].sort_values("list_rank")
    worth = listed["value_at_risk"] / listed["churn_probability"]
    assert (listed["expected_saves"] * worth).is_monotonic_decreasing
    assert len(listed) == 2
    assert f"ordered by what listing a user saves, as known on {night}" in capsys.readouterr().out
    # On the night itself, and before, it was not known.
    flow.build_retention_list(context, night)
    before = context.lakehouse.read(RETENTION_LISTS).toPandas()
    assert before[before["as_of"] == night]["expected_saves"].isna().all()
