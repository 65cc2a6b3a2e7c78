"""The routes over the tables: the list, one user, the model's card."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import FastAPI, Query, Request, Response

from churn_spark.scoring.bands import Band
from churn_spark.serving import lists
from churn_spark.serving.interface import JSON
from churn_spark.serving.refusals import BAD_QUERY, NO_SUCH_USER, WITH_KEY, Responses
from churn_spark.serving.service import Service, describe_model

_LONGEST_LIST: Final = 1000
_LISTED: Final[Responses] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def add_tables(app: FastAPI, service: Service, in_thread: Any) -> None:
    """Add the routes; what reads files does so beside the loop that answers."""

    @app.get("/list", responses=_LISTED | BAD_QUERY | WITH_KEY)
    async def newest_list(
        request: Request,
        band: Band | None = None,
        min_probability: Annotated[float, Query(ge=0, le=1)] = 0.0,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int | None, Query(ge=1, le=_LONGEST_LIST)] = None,
        format: Literal["json", "csv"] = "json",  # noqa: A002 - the name callers see
        source: lists.Source = "list",
    ) -> Response:
        """Whom to call today, most value at risk first; as CSV all of them unless limited.

        From `source=list`, the retention list of the newest date, or `source=scores`, everybody
        who was scored, highest risk first. Where no list has been built, the answer has the
        scores, and says so; a list that was built with nobody on it is empty. A CSV has 100,000
        users at most; `Link` leads to the next ones.
        """
        today, config = service.today(source), service.config
        query: dict[str, Any] = {**request.query_params}
        root = request.scope["root_path"]

        def answer() -> Response:
            chosen = today.users.choose(band, min_probability)
            most = lists.MOST_CSV_ROWS if format == "csv" else config.serving.rows_per_page
            end = offset + (limit or most)
            # A CSV that was limited has what it was asked for.
            has_more = end < len(chosen) and not (format == "csv" and limit)
            page = {"offset": end} | ({"limit": limit or most} if format == "json" else {})
            following = f"{root}/list?{urlencode(query | page)}" if has_more else ""
            if format == "json":
                return _list_page(today, chosen, slice(offset, end), following)
            text = lists.write_csv(today, chosen[offset:end], config.scoring, config.retention_list)
            name = f'attachment; filename="churn_{today.source}_{today.day}.csv"'
            link = {"link": f'<{following}>; rel="next"'} if following else {}
            headers = {"content-disposition": name, **link}
            return Response(text, media_type="text/csv", headers=headers)

        found: Response = await in_thread(answer)
        return found

    @app.get("/users/{user_id:path}", responses=NO_SUCH_USER | BAD_QUERY | WITH_KEY)
    async def user(user_id: str) -> Response:
        """The newest score of one user with its reasons, the list's row, and the dates before."""
        day, users = service.scores_of_today()
        today = service.today()

        def answer() -> Response:
            known_as = service.id_in_tables(user_id)
            newest = lists.without_fields(lists.find_user(users, known_as))
            listed = lists.find_listed(today, known_as)
            history = service.scores.history(known_as)
            found = {"as_of": day, **newest, "on_list": listed, "history": history}
            return Response(json.dumps(found, default=str), media_type=JSON)

        told: Response = await in_thread(answer)
        return told

    @app.get("/model", responses=WITH_KEY)
    async def model() -> dict[str, Any]:
        """The card of the model that answers."""
        return describe_model(service.champion.current())


def _list_page(
    today: lists.Today, chosen: lists.Positions, shown: slice, following: str
) -> Response:
    """Some of the users that were chosen, as JSON."""
    versions = today.users.versions
    answer: dict[str, Any] = {
        "as_of": str(today.day),
        "source": today.source,
        "model_version": versions[0] if versions else None,
        "n_users": len(today.users),
        "n_matching": len(chosen),
        "rows": lists.rows_of(today, chosen[shown]),
        "next": following or None,
    }
    if today.note:
        answer["note"] = today.note
    return Response(json.dumps(answer, default=str), media_type=JSON)
