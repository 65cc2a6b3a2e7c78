"""The service, which has no JVM, on a lakehouse in another store."""

from __future__ import annotations

from typing import Any

import httpx

from tests.object_stores.places import NIGHTS, Place
from tests.object_stores.servers import answers, free_port, running

KEY = "0123456789abcdefghijklmnopqrstuv"


def test_service_answers_from_the_store(place: Place) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = place.command(
        "serve", "--port", str(port), "--set", "serving.max_scores_age_hours=1000000"
    )
    environment = {**place.variables, "CHURN_API_KEY": KEY}
    with running(command, lambda: answers(f"{url}/ready"), environment):
        listed = ask(f"{url}/list?limit=5")
        assert listed["as_of"] == str(NIGHTS[-1])
        assert len(listed["rows"]) == 5
        one = ask(f"{url}/users/{listed['rows'][0]['user_id']}")
        assert one["on_list"]["list_rank"] == 1
        assert ask(f"{url}/model")["model_version"] == "1"


def ask(url: str) -> dict[str, Any]:
    answer = httpx.get(url, headers={"X-API-Key": KEY}, timeout=30)
    told: dict[str, Any] = answer.raise_for_status().json()
    return told
