"""POST /contacts: who may, what is kept for good, and that nothing is lost or counted twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
import yaml
from serving_builders import (
    KEY,
    FakeSource,
    build_service,
    client_of,
    make_bundle,
    make_config,
    make_list,
    make_scores,
    running,
    write_list,
)

from churn_spark.config import Config
from churn_spark.config.privacy import pseudonym_of
from churn_spark.contracts.contact import INBOX, Contact
from churn_spark.errors import RequestError
from churn_spark.serving.contact_inbox import ContactInbox
from churn_spark.serving.contact_routes import MAX_CONTACTS
from churn_spark.serving.keys import new_key

ROW = {
    "user_id": "7", "list_date": "2026-03-02", "time": "2026-03-02T10:15:00Z", "channel": "call",
    "outcome": "accepted", "cost": 2.5,
}  # fmt: skip


PRIVACY_KEY = "k" * 32
PSEUDONYMS = ["a0" * 16, "b0" * 16]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("CHURN_API_KEY", KEY)
    reader, lines = new_key("reader", ["read"])
    (tmp_path / "keys.yaml").write_text(lines)
    (tmp_path / "reader").write_text(reader)
    return make_config(tmp_path / "lakehouse", keys_file=tmp_path / "keys.yaml", burst=1000)


@pytest.fixture
def address(config: Config) -> Iterator[str]:
    with running(build_service(config, FakeSource(None))) as address:
        yield address


def kept(config: Config) -> list[dict[str, Any]]:
    files = sorted(Path(config.lakehouse, INBOX).glob("*"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def post(address: str, *rows: dict[str, Any], batch: str = "", key: str = KEY) -> httpx.Response:
    headers = {"idempotency-key": batch} if batch else {}
    with client_of(address, key) as client:
        return client.post("/contacts", json={"contacts": rows}, headers=headers)


def test_good_rows_are_kept_and_bad_ones_named(address: str, config: Config) -> None:
    answer = post(address, ROW, {**ROW, "outcome": "perhaps"}, {**ROW, "user_id": "8"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["n_received"], found["n_kept"], found["n_rejected"]) == (3, 2, 1)
    [rejected] = found["rows"]
    assert (rejected["row"], rejected["problems"][0]["field"]) == (1, "outcome")
    assert [one["user_id"] for one in kept(config)] == ["7", "8"]


def test_time_that_no_calendar_has_in_utc_rejects_its_row_alone(
    address: str, config: Config
) -> None:
    answer = post(address, {**ROW, "time": "9999-12-31T23:59:59-05:00"}, ROW)
    assert answer.status_code == 200
    assert (answer.json()["n_kept"], answer.json()["n_rejected"]) == (1, 1)
    [rejected] = answer.json()["rows"]
    assert (rejected["row"], rejected["problems"][0]["field"]) == (0, "time")
    assert [one["user_id"] for one in kept(config)] == ["7"]


def test_batch_counts_once_under_its_key_and_without_one(address: str, config: Config) -> None:
    for batch in ("", "a"):
        first, again = (post(address, ROW, batch=batch) for _ in range(2))
        assert (first.status_code, first.json()) == (200, again.json())
    assert len(kept(config)) == 2
    other = post(address, {**ROW, "user_id": "8"}, batch="a")
    assert other.status_code == 409
    assert "another batch under this Idempotency-Key" in other.json()["detail"]
    assert len(kept(config)) == 2


def test_store_that_hangs_keeps_no_prediction_waiting(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_end = Event(), Event()

    def hang(*_: object) -> None:
        has_begun.set()
        may_end.wait(60)

    monkeypatch.setattr(ContactInbox, "keep", hang)
    service = build_service(config, FakeSource(make_bundle()))
    with (
        running(service) as address,
        ThreadPoolExecutor(1) as sender,
        client_of(address) as client,
    ):
        answer = sender.submit(post, address, ROW)
        assert has_begun.wait(20)
        predicted = client.post("/predict/batch", json={"rows": []})
        may_end.set()
        assert (predicted.status_code, answer.result().status_code) == (200, 200)


def test_writers_at_once_lose_nothing(config: Config) -> None:
    services = [build_service(config, FakeSource(None)) for _ in range(2)]
    with running(services[0]) as first, running(services[1]) as second:

        def send(n: int) -> int:
            row = {**ROW, "user_id": f"u{n}"}
            return post((first, second)[n % 2], row, batch=f"b{n % 30}").status_code

        with ThreadPoolExecutor(8) as pool:
            codes = [*pool.map(send, range(30))]
    assert codes == [200] * 30
    assert {one["user_id"] for one in kept(config)} == {f"u{n}" for n in range(30)}


def test_scope_write_is_needed(address: str, config: Config, tmp_path: Path) -> None:
    answer = post(address, ROW, key=(tmp_path / "reader").read_text())
    assert (answer.status_code, answer.json()["detail"]) == (403, "this key has no scope 'write'")
    writer, lines = new_key("crm", ["write"])
    both = [*yaml.safe_load((tmp_path / "keys.yaml").read_text()), *yaml.safe_load(lines)]
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump(both))
    for _ in range(100):
        answer = post(address, ROW, key=writer)
        if answer.status_code == 200:
            break
    assert answer.status_code == 200
    with client_of(address, writer) as client:
        assert client.get("/list").status_code == 403


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ('{"contacts": []}', "application/json", 422),
        ('{"rows": []}', "application/json", 422),
        ("nothing", "application/json", 422),
        ('{"contacts": [{"user_id": "7"}]}', "application/json", 422),
        (json.dumps({"contacts": [ROW]}), "text/plain", 415),
        (json.dumps({"contacts": [{}] * (MAX_CONTACTS + 1)}), "application/json", 413),
    ],
)
def test_other_bodies_are_refused(
    address: str, config: Config, content: str, kind: str, status: int
) -> None:
    with client_of(address) as client:
        answer = client.post("/contacts", content=content, headers={"content-type": kind})
    assert (answer.status_code, kept(config)) == (status, [])


@pytest.mark.parametrize("has_key", [True, False])
def test_clear_ids_are_not_kept_beside_pseudonyms(
    config: Config, monkeypatch: pytest.MonkeyPatch, *, has_key: bool
) -> None:
    monkeypatch.setenv("CHURN_PRIVACY_KEY", PRIVACY_KEY if has_key else "")
    values = config.model_dump() | {"privacy": {"pseudonymise": True}}
    with_pseudonyms = Config.model_validate(values)
    # Of an older list; the user of the second one was withheld, and neither has scores any more.
    listed = make_list(make_scores(make_bundle(), config, 3, date(2026, 3, 2)), 2)
    listed["user_id"], listed["assignment"] = PSEUDONYMS, ["listed", "control"]
    write_list(listed, config)
    write_list(make_list(make_scores(make_bundle(), config, 3, date(2026, 3, 9)), 2), config)
    service = build_service(with_pseudonyms, FakeSource(None))
    service.lists.look()
    clear = ["7", "c0" * 16, "x" * 32]
    with running(service) as address:
        answer = post(address, *({**ROW, "user_id": one} for one in [*clear, *PSEUDONYMS]))
    made = [pseudonym_of(one, PRIVACY_KEY.encode()) for one in clear if has_key]
    assert [one["user_id"] for one in kept(config)] == [*made, *PSEUDONYMS]
    rejected = [] if has_key else [0, 1, 2]
    assert [one["row"] for one in answer.json()["rows"]] == rejected
    for row in answer.json()["rows"]:
        assert "no pseudonym on the list of its date" in row["problems"][0]["problem"]


def test_pseudonyms_need_a_list_to_be_told_from_clear_ids(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_PRIVACY_KEY", PRIVACY_KEY)
    values = config.model_dump() | {"privacy": {"pseudonymise": True}}
    with running(build_service(Config.model_validate(values), FakeSource(None))) as address:
        answer = post(address, ROW)
    assert (answer.status_code, kept(config)) == (503, [])


def test_inbox_that_cannot_be_written_is_said(address: str, config: Config) -> None:
    Path(config.lakehouse).mkdir(exist_ok=True)
    Path(config.lakehouse, "_inbox").write_text("a file in its place")
    answer = post(address, ROW)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_batches_of_another_store_than_a_disk_are_kept_once(tmp_path: Path) -> None:
    # An address, so that the files are written by the client of the stores.
    inbox = ContactInbox(f"file://{tmp_path}")
    first, second = (Contact.model_validate({**ROW, "user_id": user}) for user in "78")
    assert inbox.keep([first], "crm", "")
    assert not inbox.keep([first], "crm", "")
    assert inbox.keep([first, second], "crm", "b1")
    with pytest.raises(RequestError, match="another batch"):
        inbox.keep([second], "crm", "b1")
    found = [one.read_text().splitlines() for one in sorted((tmp_path / INBOX).iterdir())]
    assert [[json.loads(line)["user_id"] for line in lines] for lines in found] == [
        ["7"],
        ["7", "8"],
    ]
