"""The retention list over HTTP and on the page; and what is shown where none has been built."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pandas as pd
import pytest
from serving_builders import (
    AS_OF,
    ODD_USER,
    FakeSource,
    build_service,
    fill_tables,
    make_bundle,
    make_config,
    make_list,
    make_scores,
    running,
    write_list,
)

from churn_spark.config import Config
from churn_spark.contracts.tables import BUILT_LISTS, PERFORMANCE, RETENTION_LISTS, SCORES
from churn_spark.errors import RequestError
from churn_spark.monitoring.performance.cancellations import Cancellations, cancellation_row
from churn_spark.scoring.list_csv import format_list_csv
from churn_spark.serving.lists import SHOWN
from churn_spark.serving.service import Service
from churn_spark.serving.stores import HISTORY_COLUMNS
from tests.local_lakehouse import open_local

N_USERS, N_LISTED = 60, 24


@dataclass(frozen=True)
class World:
    """A running service and the list it must show."""

    address: str
    config: Config
    listed: pd.DataFrame

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Scores of two dates; a list of the first."""
    lakehouse = tmp_path_factory.mktemp("listed")
    config = make_config(lakehouse, require_key=False, rows_per_page=10)
    bundle = replace(make_bundle(), version="7")
    fill_tables(config, bundle, N_USERS, n_dates=2)
    before = AS_OF - timedelta(days=1)
    write_list(make_list(make_scores(bundle, config, N_USERS, before), N_LISTED), config)
    row = {**cancellation_row(Cancellations(90, 120, 7_000, 28_000), AS_OF), "run_date": AS_OF}
    values = [[row.get(name) for name in PERFORMANCE.column_names]]
    open_local(lakehouse).replace_rows(values, PERFORMANCE, {"run_date": [AS_OF]})
    return build_service(config, FakeSource(bundle))


@pytest.fixture(scope="module")
def world(service: Service) -> Iterator[World]:
    """The service when the list of the newest date has been built, too."""
    bundle = replace(make_bundle(), version="7")
    for look in service.looks():
        look()
    older = service.today()
    assert (older.source, older.day) == ("scores", AS_OF)
    assert f"the newest is of {AS_OF - timedelta(days=1)}" in older.note
    rows = make_list(make_scores(bundle, service.config, N_USERS), N_LISTED + 2)
    is_control = rows["list_rank"] > N_LISTED
    write_list(
        rows.assign(
            assignment=np.where(is_control, "control", "listed"),
            list_rank=rows["list_rank"].astype("Int32").mask(is_control),
        ),
        service.config,
    )
    listed = rows[~is_control]
    with running(service) as address:
        world = World(address, service.config, listed.sort_values("list_rank"))
        for _ in range(400):
            if world.get("/list").json().get("source") == "list":
                break
        yield world


def test_list_is_that_of_the_table_in_its_order(world: World) -> None:
    found, url = [], "/list"
    while url:
        answer = world.get(url).json()
        found += answer["rows"]
        url = answer["next"]
    assert [one["user_id"] for one in found] == world.listed["user_id"].tolist()
    assert (answer["source"], answer["as_of"]) == ("list", str(AS_OF))
    assert (answer["n_users"], answer["model_version"]) == (N_LISTED, "7")
    assert "note" not in answer
    expected = world.listed.iloc[1]
    assert found[1] == {
        **{name: expected[name] for name in ("user_id", "churn_probability", "risk_band")},
        **{name: expected[name] for name in ("value_at_risk", "reasons", "would_help")},
        "list_rank": 2,
        "on_list_since": str(AS_OF - timedelta(days=4)),
        "days_on_list": 5,
        "previous_rank": 9,
        "expected_saves": None,
    }
    assert found[0]["previous_rank"] is None


def test_nobody_sees_the_control_group(world: World) -> None:
    scores = make_scores(replace(make_bundle(), version="7"), world.config, N_USERS)
    everybody = make_list(scores, N_LISTED + 2)
    withheld = everybody[everybody["list_rank"] > N_LISTED]["user_id"].tolist()
    assert len(withheld) == 2
    shown = world.get("/list?limit=1000").text + world.get("/list?format=csv").text
    shown += world.get("/").text
    assert world.listed["user_id"].iloc[0] in shown
    for user in withheld:
        assert user not in shown
        assert world.get(f"/users/{user}").json()["on_list"] is None


def test_filters_and_pages_hold_for_the_list(world: World) -> None:
    band = world.listed["risk_band"].iloc[0]
    expected = world.listed[world.listed["risk_band"] == band]["user_id"].tolist()
    answer = world.get(f"/list?band={band}&limit=1000").json()
    assert [one["user_id"] for one in answer["rows"]] == expected
    least = float(world.listed["churn_probability"].median())
    chosen = world.get(f"/list?min_probability={least}&offset=1&limit=3").json()
    assert chosen["n_matching"] == (world.listed["churn_probability"] >= least).sum()
    assert len(chosen["rows"]) == 3


def test_csv_is_the_file_that_the_job_exports(world: World) -> None:
    answer = world.get("/list?format=csv")
    assert answer.content.decode() == format_list_csv(
        world.listed, 3, world.config.retention_list.n_changes
    )
    assert f"churn_list_{AS_OF}.csv" in answer.headers["content-disposition"]


def test_scores_are_still_there_when_asked_for(world: World) -> None:
    answer = world.get("/list?source=scores&limit=1000").json()
    assert (answer["source"], answer["n_users"]) == ("scores", N_USERS)
    assert [one["risk_rank"] for one in answer["rows"]] == list(range(1, N_USERS + 1))
    assert "note" not in answer
    assert answer["rows"][0].keys() == set(SHOWN["scores"])
    following = world.get("/list?source=scores&limit=10").json()["next"]
    assert world.get(following).json()["rows"][0]["risk_rank"] == 11
    assert world.get("/list?source=table").status_code == 422


def test_page_shows_the_list_with_its_past_and_what_would_help(world: World) -> None:
    page = world.get("/").text
    assert "Whom to call" in page
    assert f"<b>{N_LISTED}</b><span>to call, of 100 places" in page
    assert "<b>8</b><span>new on the list, 16 on the previous one too" in page
    at_risk = f"<b>{world.listed['value_at_risk'].sum():.1f}</b><span>at risk within 90 days"
    assert f"{at_risk}, in monthly fees" in page
    assert page.count('<span class="past new">new</span>') == 4
    assert '<span class="past">day 5 on the list, rank 9 before</span>' in page
    assert '<p class="help">if came 1 times: 1\u00a0%</p>' in page
    assert page.count('class="help"') == 8
    assert "No retention list" not in page
    assert "/?band=&amp;from_percent=&amp;offset=10" in page
    assert "/list?format=csv&amp;min_probability=0.0" in page


def test_page_of_all_scores_keeps_to_them(world: World) -> None:
    page = world.get("/?source=scores").text
    assert f"<b>{N_USERS}</b><span>users scored" in page
    assert "No retention list" not in page
    assert "/?source=scores&amp;band=&amp;from_percent=&amp;offset=10" in page
    assert "/list?format=csv&amp;source=scores&amp;min_probability=0.0" in page
    assert '<input type="hidden" name="source" value="scores">' in page


def test_model_page_says_how_many_have_cancelled_lately(world: World) -> None:
    page = world.get("/page/model").text
    assert f"90 users have cancelled in the 7 days before {AS_OF}, 30.0 expected at" in page


def test_user_is_told_with_their_row_of_the_list(world: World) -> None:
    second, fifth = world.listed["user_id"].iloc[[1, 4]]
    on_list = world.get(f"/users/{second}").json()["on_list"]
    assert (on_list["list_rank"], on_list["would_help"]) == (2, ["if came 2 times: 1 %"])
    page = world.get(f"/page/users/{second}").text
    assert "Number 2, on it since" in page
    assert "if came 2 times: 1\u00a0%" in page
    assert "No single change" in world.get(f"/page/users/{fifth}").text


def test_model_page_says_where_no_key_is_asked_for(world: World) -> None:
    assert "keys: no API key is required" in world.get("/page/model").text
    scored = world.get("/list?source=scores&limit=1000").json()["rows"]
    other = next(
        one["user_id"]
        for one in scored
        if one["user_id"] not in {*world.listed["user_id"], ODD_USER}
    )
    assert world.get(f"/users/{other}").json()["on_list"] is None
    assert "On today" not in world.get(f"/page/users/{other}").text


def test_without_a_list_the_scores_are_shown_and_it_is_said(tmp_path: Path) -> None:
    config = make_config(tmp_path, require_key=False)
    bundle = replace(make_bundle(), version="7")
    fill_tables(config, bundle, 20, n_dates=1)
    service = build_service(config, FakeSource(bundle))
    scores = make_scores(bundle, config, 20)
    for look in service.looks():
        look()
    with running(service) as address:
        answer = httpx.get(f"{address}/list").json()
        page = httpx.get(address).text
        text = httpx.get(f"{address}/list?format=csv").text
    note = f"No retention list has been built for {AS_OF}: there is none."
    assert (answer["source"], answer["n_users"]) == ("scores", len(scores))
    assert answer["note"].startswith(note)
    assert note in page
    assert "Who may cancel" in page
    assert len(list(csv.DictReader(StringIO(text)))) == 20


@pytest.mark.parametrize("kind", ["no rows", "withheld"])
@pytest.mark.parametrize("has_earlier_list", [True, False])
def test_list_of_nobody_is_an_empty_one(tmp_path: Path, kind: str, has_earlier_list: bool) -> None:
    config = make_config(tmp_path, require_key=False)
    bundle = replace(make_bundle(), version="7")
    fill_tables(config, bundle, N_USERS, n_dates=2)
    before = AS_OF - timedelta(days=1)
    if has_earlier_list:
        write_list(make_list(make_scores(bundle, config, N_USERS, before), N_LISTED), config)
    if kind == "withheld":
        rows = make_list(make_scores(bundle, config, N_USERS), 1)
        write_list(rows.assign(assignment="control", list_rank=None), config)
    open_local(tmp_path).replace_rows([(AS_OF, 0)], BUILT_LISTS, {"as_of": [AS_OF]})
    service = build_service(config, FakeSource(bundle))
    for look in service.looks():
        look()
    with running(service) as address:
        answer = httpx.get(f"{address}/list").json()
        page = httpx.get(address).text
        text = httpx.get(f"{address}/list?format=csv").text
        chosen = httpx.get(f"{address}/list?band=high&min_probability=0.5").json()
        user = httpx.get(f"{address}/users/1001").json()
        of_user = httpx.get(f"{address}/page/users/1001").status_code
    assert (answer["source"], answer["as_of"]) == ("list", str(AS_OF))
    assert (answer["n_users"], answer["rows"], answer["next"]) == (0, [], None)
    assert answer["note"].startswith(f"Nobody is to be called: the retention list of {AS_OF}")
    assert text.startswith('"rank","user_id"')
    assert list(csv.DictReader(StringIO(text))) == []
    assert "Nobody is to be called" in page
    assert "<b>0</b><span>to call, of 100 places" in page
    assert "No retention list has been built" not in page
    assert "/?source=scores" in page
    assert chosen["n_matching"] == 0
    assert (user["on_list"], of_user) == (None, 200)


def test_list_that_is_not_read_yet_is_no_list_of_nobody(tmp_path: Path) -> None:
    config = make_config(tmp_path, require_key=False)
    bundle = replace(make_bundle(), version="7")
    fill_tables(config, bundle, N_USERS, n_dates=2)
    before = AS_OF - timedelta(days=1)
    write_list(make_list(make_scores(bundle, config, N_USERS, before), N_LISTED), config)
    service = build_service(config, FakeSource(bundle))
    for look in service.looks():
        look()
    write_list(make_list(make_scores(bundle, config, N_USERS), N_LISTED), config)
    note = [(AS_OF, N_LISTED)]
    open_local(tmp_path).replace_rows(note, BUILT_LISTS, {"as_of": [AS_OF]})
    service.built_lists.look()
    with pytest.raises(RequestError, match=f"{N_LISTED} users, but not yet the list: it is being"):
        service.today()
    assert service.today("scores").day == AS_OF
    real = service.lists

    class ReadMeanwhile:
        """The list, which is read just when it is asked how often it was looked for."""

        def __getattr__(self, name: str) -> Any:
            if name == "n_looks":
                real.look()
            return getattr(real, name)

    service.lists = cast(Any, ReadMeanwhile())
    assert len(service.today().users) == N_LISTED
    service.lists = real
    # All of them were erased.
    open_local(tmp_path).replace_rows([], RETENTION_LISTS, {"as_of": [AS_OF]})
    for look in service.looks():
        look()
    assert (service.today().day, len(service.today().users)) == (AS_OF, 0)


def test_list_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    config = make_config(tmp_path, require_key=False)
    bundle = replace(make_bundle(), version="7")
    fill_tables(config, bundle, N_USERS, n_dates=2)
    write_list(make_list(make_scores(bundle, config, N_USERS), N_LISTED), config)
    open_local(tmp_path).replace_rows([(AS_OF, N_LISTED)], BUILT_LISTS, {"as_of": [AS_OF]})
    for file in (tmp_path / RETENTION_LISTS.path).rglob("*.parquet"):
        file.write_bytes(b"damaged")
    service = build_service(config, FakeSource(bundle))
    with running(service) as address:
        for look in service.looks():
            look()
        answer = httpx.get(f"{address}/list?format=csv")
        check = httpx.get(f"{address}/ready").json()["checks"]["tables"]
        scores = httpx.get(f"{address}/?source=scores")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert f"table {RETENTION_LISTS.path} can't be read" in answer.text
    assert not check["is_ok"]
    assert check["detail"].startswith(f"table {RETENTION_LISTS.path} can't be read")
    assert f"Table {RETENTION_LISTS.path} can't be read" in unescape(scores.text)


def test_scores_are_shown_again_once_they_are_newer_than_a_list_of_nobody(tmp_path: Path) -> None:
    config = make_config(tmp_path, require_key=False)
    bundle = replace(make_bundle(), version="7")
    fill_tables(config, bundle, N_USERS)
    before = AS_OF - timedelta(days=1)
    open_local(tmp_path).replace_rows([(before, 0)], BUILT_LISTS, {"as_of": [before]})
    service = build_service(config, FakeSource(bundle))
    for look in service.looks():
        look()
    today = service.today()
    assert (today.source, today.day) == ("scores", AS_OF)
    assert f"the newest is of {before}" in today.note


def test_list_by_effect_tells_what_calls_save_and_how_many_are_left_alone(tmp_path: Path) -> None:
    bundle = replace(make_bundle(), version="7")
    config = make_config(tmp_path, require_key=False)
    fill_tables(config, bundle, N_USERS)
    rows = make_list(make_scores(bundle, config, N_USERS), 4)
    is_left = rows["list_rank"] == 4
    saves = rows["list_rank"].map({1: 0.2, 2: 0.031, 3: np.nan, 4: -0.1})
    by_effect = rows.assign(
        expected_saves=saves,
        assignment=np.where(is_left, "left_alone", "listed"),
        list_rank=rows["list_rank"].astype("Int32").mask(is_left),
    )
    write_list(by_effect, config)
    service = build_service(config, FakeSource(bundle))
    for look in service.looks():
        look()
    with running(service) as address:
        answer = httpx.get(f"{address}/list").json()
        page = httpx.get(address).text
        text = httpx.get(f"{address}/list?format=csv").text
        user = answer["rows"][1]["user_id"]
        of_user = httpx.get(f"{address}/page/users/{user}").text
    assert [row["expected_saves"] for row in answer["rows"]] == [0.2, 0.031, None]
    assert [row["saves_of_100"] for row in csv.DictReader(StringIO(text))] == ["20.0", "3.1", ""]
    plain = " ".join(page.split())
    assert "Most value saved first" in plain
    assert "<b>0.2</b><span>users expected to be kept by the calls</span>" in plain
    assert '<td class="n saves">3.1</td>' in plain
    assert '<td class="n saves">–</td>' in plain
    assert "1 user of high risk is left alone" in plain
    contained = rows[~is_left]["churn_probability"].sum()
    assert (
        f"list in use is by effect, has other users, and is expected to contain {contained:.1f}."
        in plain
    )
    assert "The dot is a list by value at risk as long as today's" in unescape(plain)
    assert '<span class="past new">today</span>' not in plain
    assert rows[is_left]["user_id"].iloc[0] not in page + text
    assert "expected to keep 3.1 of them from cancelling" in of_user


def test_every_column_shown_is_one_of_its_table() -> None:
    of_control = {"assignment", "campaign", "control_share"}
    shown = {*SHOWN["list"], "as_of", "model_version", "reason_fields", *of_control}
    assert shown == set(RETENTION_LISTS.column_names)
    assert {*SHOWN["scores"], *HISTORY_COLUMNS} <= set(SCORES.column_names)
