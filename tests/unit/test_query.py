"""Questions in SQL to a lakehouse: names of tables, answers in each form, what is refused."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn_spark.contracts.places import IN_LOG, OUT_OF_PLACE
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_RUNS,
    BUILT_LISTS,
    DRIFT,
    LABELS,
    LOG_DATES,
    RETENTION_LISTS,
    SESSION_DAYS,
    TABLES,
)
from churn_spark.errors import InputError, QueryError
from churn_spark.lakehouse.sql import find_named, is_reading
from churn_spark.pipeline import query
from churn_spark.pipeline.query_output import show_answer
from churn_spark.pipeline.saved_queries import find_saved, list_saved
from jobs._main import make_app
from tests.local_lakehouse import open_local

pytestmark = pytest.mark.unit
MONDAY, TUESDAY, NEXT_WEEK = date(2018, 10, 1), date(2018, 10, 2), date(2018, 10, 8)
BEFORE_TIME = date(1970, 1, 1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two known dates and one of a wrong clock; three labels."""
    lakehouse = open_local(tmp_path_factory.mktemp("lake house"))
    days = [(MONDAY, 5, IN_LOG), (TUESDAY, 7, IN_LOG), (BEFORE_TIME, 1, OUT_OF_PLACE)]
    lakehouse.replace_rows([*days, (NEXT_WEEK, 3, IN_LOG)], LOG_DATES, {})
    labels = [(MONDAY, user, 14, 1, label, True, False) for user, label in [("7", 1), ("8", 0)]]
    labels.append((MONDAY, "9", 14, 1, None, False, False))
    lakehouse.replace_rows(labels, LABELS, {})
    return lakehouse.root


def ask(root: str, sql: str, form: str = "csv", rows: int | None = None) -> str:
    out = io.StringIO()
    show_answer(query.run(root, sql), form, rows, out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["silver.log_dates", "log_dates", '"silver/log_dates"'])
def test_tables_have_the_names_of_the_docs(root: str, name: str) -> None:
    assert ask(root, f"select sum(n_events) as n from {name}") == "n\n16\n"


def test_columns_of_a_later_release_are_null_where_a_table_was_made_without(
    tmp_path: Path,
) -> None:
    """Saved queries name them, and a lakehouse gets them when the table is written next."""
    lakehouse = open_local(tmp_path)
    older = replace(BACKTEST_RUNS, columns=BACKTEST_RUNS.columns[:-1])
    lakehouse.replace_rows([("a", MONDAY, "{}"), ("b", TUESDAY, "{}")], older, {})
    figures = {"run_id": "b", "cell": "both", "segment": "all", "model": "rule", "versus": ""}
    row = [figures.get(name) for name in BACKTEST_FIGURES.column_names]
    lakehouse.replace_rows([row], BACKTEST_FIGURES, {})
    for name in ("ml.backtest_runs", "backtest_runs", '"ml/backtest_runs"'):
        assert ask(lakehouse.root, f"select run_id, number from {name} order by 1") == (
            "run_id,number\na,\nb,\n"
        )
    sql = find_saved("backtest_figures").sql
    assert ask(lakehouse.root, sql).splitlines()[1].startswith("rule,")


def test_tables_of_several_layers_are_joined(root: str) -> None:
    sql = "select d.n_events, l.user_id from log_dates d join gold.labels l on d.event_date=l.as_of"
    assert ask(root, f"{sql} order by 2") == "n_events,user_id\n5,7\n5,8\n5,9\n"


def test_csv_and_json_have_nulls_lists_and_instants(root: str) -> None:
    sql = (
        "select label, ['a', 'b'] as names, true as is_so, 'NaN'::double as nothing, as_of, "
        "timestamp '2018-10-01 03:00:00' as at from labels where user_id = '9'"
    )
    assert ask(root, sql) == (
        'label,names,is_so,nothing,as_of,at\n,"[""a"", ""b""]",True,,2018-10-01,'
        "2018-10-01T03:00:00Z\n"
    )
    assert json.loads(ask(root, sql, "json")) == [
        {
            "label": None,
            "names": ["a", "b"],
            "is_so": True,
            "nothing": None,
            "as_of": "2018-10-01",
            "at": "2018-10-01T03:00:00Z",
        }
    ]


def test_no_rows_are_a_header_or_an_empty_array(root: str) -> None:
    sql = "select user_id from labels where user_id = 'nobody'"
    assert ask(root, sql) == "user_id\n"
    assert json.loads(ask(root, sql, "json")) == []
    assert "0 rows" in ask(root, sql, "table")


def test_table_shows_the_first_rows_and_says_that_there_are_more(root: str) -> None:
    sql = "select user_id from labels order by user_id"
    told = ask(root, sql, "table", rows=2)
    assert told.split()[2:4] == ["7", "8"]
    assert "the first 2 rows; --rows shows more" in told
    assert ask(root, sql, "table", rows=3).rstrip().endswith("3 rows")


def test_many_columns_are_shown_line_by_line(root: str) -> None:
    sql = f"select {', '.join(f'{n} as c{n}' for n in range(40))}"
    told, wide = ask(root, sql), ask(root, sql, "table")
    assert told.startswith("c0,c1,")
    assert wide.startswith("row 1\n  c0   0\n  c1   1\n")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        " -- a remark; copy\n/* and\nanother */ with a as (select 1) select * from a",
        "(select 1) union all (select 2)",
        "explain analyze verbose select 1",
        "describe ml.scores",
    ],
)
def test_what_reads_is_let_through(sql: str) -> None:
    assert is_reading(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select * from log_dates) to '{out}'",
        "/* select */ copy (select * from log_dates) to '{out}'",
        "explain analyze copy (select * from log_dates) to '{out}'",
        "create external table x stored as csv location '{out}'",
        "insert into log_dates values (1)",
        "drop table log_dates",
        "set datafusion.execution.batch_size = 1",
        "",
    ],
)
def test_what_does_more_than_read_is_refused(root: str, tmp_path: Path, sql: str) -> None:
    out = tmp_path / "out.csv"
    with pytest.raises(QueryError, match="is no SQL statement that only reads"):
        query.run(root, sql.format(out=out))
    assert not out.exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from log_date", r"no table log_date \(did you mean log_dates\?\)"),
        ("select * from gold.log_dates", r"gold.log_dates \(did you mean silver.log_dates\?\)"),
        ("select * from golden.labels", r"golden.labels \(did you mean gold.labels\?\)"),
        ("select * from ml.scores", "no table ml.scores in .*, which no run has written"),
        ("select userid from labels", r"no column userid \(did you mean user_id\?\)"),
        ('select l."USER_ID" from labels l', r"no column USER_ID \(did you mean user_id\?\)"),
        ("select * from", "can't be answered .*`query --tables` lists"),
        ("select 1 from labels; select 2", "single SQL statement"),
    ],
)
def test_mistake_is_told_with_its_neighbour(root: str, sql: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        query.run(root, sql)


def test_what_fails_while_rows_are_read_is_told_too(root: str) -> None:
    with pytest.raises(QueryError, match="Divide by zero"):
        ask(root, "select n_events / (n_events - n_events) from log_dates")


def test_place_without_tables_is_no_lakehouse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none of this project's tables"):
        query.run(str(tmp_path), "select * from ml.scores")


@pytest.mark.parametrize("saved", [one.name for one in list_saved()])
def test_saved_queries_fit_the_declared_tables(saved: str, tmp_path: Path) -> None:
    chosen = find_saved(saved)
    assert chosen.about.endswith(".")
    lakehouse = open_local(tmp_path)
    for spec in find_named(chosen.sql, TABLES):
        lakehouse.create(spec)
    assert len(ask(str(tmp_path), chosen.sql).splitlines()) == 1


def test_cancels_by_week_counts_users_once_and_no_wrong_clocks(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    lakehouse.replace_rows(
        [(day, 1, IN_LOG) for day in (MONDAY, TUESDAY, NEXT_WEEK)]
        + [(BEFORE_TIME, 1, OUT_OF_PLACE)],
        LOG_DATES,
        {},
    )
    cancel = datetime(2018, 10, 2, 4, tzinfo=UTC)
    visits = [(MONDAY, "7", None), (TUESDAY, "7", cancel), (TUESDAY, "8", None)]
    visits += [(NEXT_WEEK, "8", None), (BEFORE_TIME, "9", None)]
    rows = []
    for day, user, cancelled in visits:
        known = {"event_date": day, "user_id": user, "session_id": 1, "cancel_ts": cancelled}
        rows.append(tuple(known.get(name) for name in SESSION_DAYS.column_names))
    lakehouse.replace_rows(rows, SESSION_DAYS, {})
    assert ask(str(tmp_path), find_saved("cancels_by_week").sql) == (
        "week_from,active_users,cancels,cancels_percent\n2018-10-01,2,1,50.0\n2018-10-08,1,0,0.0\n"
    )


def test_moved_features_are_those_of_the_pages(tmp_path: Path) -> None:
    plain = {"run_date": MONDAY, "comparison": "training", "slice": "all", "direction": "higher"}
    plain |= {"is_breached": True, "is_trending": False, "importance": 0.5}
    rows = [
        {"feature": "songs", "ks_statistic": 0.1},
        {"feature": "os", "total_variation": 0.3, "importance": 0.7, "direction": "none"},
        {"feature": "adverts", "ks_statistic": 0.1, "comparison": "previous_night"},
        {"feature": "adverts", "ks_statistic": 0.1, "slice": "level=paid"},
        {"feature": "tenure_days", "ks_statistic": 0.4, "is_trending": True},
    ]
    lakehouse = open_local(tmp_path)
    stored = [[(plain | row).get(name) for name in DRIFT.column_names] for row in rows]
    lakehouse.replace_rows(stored, DRIFT, {})
    assert ask(str(tmp_path), find_saved("moved_features").sql) == (
        "feature,distance,direction,importance\nos,0.3,none,0.7\nsongs,0.1,higher,0.5\n"
    )


def test_list_of_today_has_nobody_where_the_newest_list_has_nobody(tmp_path: Path) -> None:
    def today() -> list[str]:
        code, told = call(str(tmp_path), "--saved", "list_today")
        assert code == 0
        return [line.split(",")[1] for line in told.splitlines()[1:]]

    lakehouse = open_local(tmp_path)
    known = {"as_of": MONDAY, "user_id": "7", "list_rank": 1}
    listed = tuple(known.get(name) for name in RETENTION_LISTS.column_names)
    lakehouse.replace_rows([listed], RETENTION_LISTS, {})
    # As releases left it that wrote no such note.
    assert today() == ["7"]
    lakehouse.replace_rows([(MONDAY, 1)], BUILT_LISTS, {})
    assert today() == ["7"]
    lakehouse.replace_rows([(TUESDAY, 0)], BUILT_LISTS, {"as_of": [TUESDAY]})
    assert today() == []


def call(root: str, *arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(make_app(), ["query", *arguments], env={"LAKEHOUSE": root})
    return answer.exit_code, answer.output


def test_command_lists_saved_queries_and_tables(root: str) -> None:
    for arguments in (["--saved"], ["--saved", "--format", "csv"]):
        code, told = call(root, *arguments)
        assert (code, told.splitlines()[0]) == (0, "saved,answers")
        assert {line.split(",")[0] for line in told.splitlines()[1:]} == {
            one.name for one in list_saved()
        }
    code, told = call(root, "--tables", "--format", "json")
    assert (code, [one["table"] for one in json.loads(told)]) == (
        0,
        ["silver.log_dates", "gold.labels"],
    )


def test_command_answers_one_question_from_anywhere(root: str) -> None:
    assert call(root, "select 1 as one") == (0, "one\n1\n")
    answer = CliRunner().invoke(
        make_app(), ["query", "-"], input="select 2 as two", env={"LAKEHOUSE": root}
    )
    assert answer.output == "two\n2\n"
    for arguments in ([], ["select 1", "--tables"], ["select 1", "--format", "xml"]):
        assert call(root, *arguments)[0] == 2


def test_rows_that_are_asked_for_bound_every_format(root: str) -> None:
    sql = "select n_events from log_dates order by 1"
    assert call(root, sql, "--rows", "2") == (0, "n_events\n1\n3\n")
    assert call(root, sql, "--rows", "1", "--format", "json") == (0, '[\n{"n_events": 1}\n]\n')
    many = "select a.n_events from log_dates a, log_dates b, log_dates c"
    assert len(call(root, many)[1].splitlines()) == 4**3 + 1
    assert "the first 50 rows; --rows" in call(root, many, "--format", "table")[1]


def test_unknown_saved_query_is_told_its_neighbour() -> None:
    with pytest.raises(QueryError, match=r"did you mean cancels_by_week\?"):
        find_saved("cancel_by_week")
