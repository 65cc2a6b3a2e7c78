"""The service, which has no JVM, on a lakehouse in another store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from deltalake import DeltaTable

from churn_spark.contracts.contact import INBOX
from churn_spark.contracts.tables import CONTACTS
from tests.object_stores.places import NIGHTS, Place
from tests.object_stores.servers import answers, free_port, running

KEY = "0123456789abcdefghijklmnopqrstuv"
HEADERS = {"X-API-Key": KEY}


def test_service_answers_from_the_store(place: Place) -> None:
    with serving(place) as url:
        listed = ask(f"{url}/list?limit=5")
        assert listed["as_of"] == str(NIGHTS[-1])
        assert len(listed["rows"]) == 5
        one = ask(f"{url}/users/{listed['rows'][0]['user_id']}")
        assert one["on_list"]["list_rank"] == 1
        assert ask(f"{url}/model")["model_version"] == "1"


def test_contacts_that_the_service_was_sent_are_merged_once(place: Place, tmp_path: Path) -> None:
    with serving(place) as url:
        listed = ask(f"{url}/list?limit=2")
        rows = [
            {"user_id": row["user_id"], "list_date": listed["as_of"], "channel": "call"}
            | {"time": f"{listed['as_of']}T10:00:00Z", "outcome": "accepted"}
            for row in listed["rows"]
        ]
        for _ in range(2):
            answer = httpx.post(f"{url}/contacts", headers=HEADERS, json={"contacts": rows})
            assert answer.raise_for_status().json()["n_kept"] == 2
    assert "1 batch of the service" in place.run("record_contacts")
    contacts = DeltaTable(str(place.copy_to(tmp_path / "merged") / CONTACTS.path)).to_pandas()
    assert sorted(contacts["user_id"]) == sorted(row["user_id"] for row in rows)
    assert not [*(tmp_path / "merged" / "lakehouse" / INBOX).glob("*")]
    assert "0 contacts" in place.run("record_contacts")


@contextmanager
def serving(place: Place) -> Iterator[str]:
    """The service on a place; gives its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = place.command(
        "serve", "--port", str(port), "--set", "serving.max_scores_age_hours=1000000"
    )
    environment = {**place.variables, "CHURN_API_KEY": KEY}
    with running(command, lambda: answers(f"{url}/ready"), environment):
        yield url


def ask(url: str) -> dict[str, Any]:
    answer = httpx.get(url, headers=HEADERS, timeout=30)
    told: dict[str, Any] = answer.raise_for_status().json()
    return told
