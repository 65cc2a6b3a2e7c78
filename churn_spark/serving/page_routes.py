"""The routes of the page: for people, signed in with a key once."""

from __future__ import annotations

import functools
import hmac
import math
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Query, Request, Response

from churn_spark.churn_words import describe_prediction
from churn_spark.config import RetentionListConfig
from churn_spark.errors import RequestError
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.performance.cancellations import cancellations_told
from churn_spark.monitoring.performance.reach import describe_reach, list_reaches
from churn_spark.scoring.bands import BANDS, Band
from churn_spark.serving import lists
from churn_spark.serving.page_parts import (
    describe_campaign,
    describe_health,
    describe_policy,
    draw_history,
    percent,
    render,
    sign_in_page,
)
from churn_spark.serving.planner import break_even_offers, describe_lengths, describe_staying
from churn_spark.serving.service import Service, describe_model
from churn_spark.serving.visitors import peer_of

_HTML: Final = "text/html"


def add_pages(app: FastAPI, service: Service, in_thread: Any) -> None:
    """Add the page's routes; they are not part of the described interface."""
    add = functools.partial(app.api_route, include_in_schema=False)

    @add("/", methods=["GET"])
    async def list_page(
        request: Request,
        band: str = "",
        from_percent: str = "",
        offset: Annotated[int, Query(ge=0)] = 0,
        source: lists.Source = "list",
    ) -> Response:
        today = service.today(source)
        users = today.users
        wanted = _filter(band, from_percent)
        size = service.config.serving.rows_per_page

        def choose() -> tuple[int, list[dict[str, Any]]]:
            chosen = users.choose(wanted.band, wanted.min_probability)
            return len(chosen), lists.shown_on_page(today, chosen[offset : offset + size])

        n_matching, shown = await in_thread(choose)
        lengths = await in_thread(lambda: _lengths(service, today))
        query = {name: request.query_params.get(name, "") for name in ("band", "from_percent")}
        of_source = {"source": "scores"} if source == "scores" else {}

        def page(start: int) -> str:
            return _root_of(request) + "/?" + urlencode({**of_source, **query, "offset": start})

        csv_query = of_source | ({"band": wanted.band} if wanted.band else {})
        return _page(
            request,
            "list.html",
            title=f"List of {today.day}",
            here="list" if source == "list" else "scores",
            as_of=today.day,
            is_list=today.source == "list",
            source=source,
            predicts=_predicts(service),
            problems=[*([today.note] if today.note else []), *_problems(service)],
            n_users=len(users),
            listed=_describe_list(today, service.config.retention_list),
            bands=users.n_by_band,
            model_version=users.versions[0] if users.versions else "none",
            band=wanted.band,
            from_percent=query["from_percent"],
            csv_query="&" + urlencode({**csv_query, "min_probability": wanted.min_probability}),
            rows=shown,
            offers=break_even_offers(shown, service.config.costs),
            lengths=lengths,
            first=offset + 1,
            last=offset + len(shown),
            n_matching=n_matching,
            earlier=page(max(0, offset - size)) if offset else None,
            later=page(offset + size) if offset + size < n_matching else None,
        )

    @add("/page/users/{user_id:path}", methods=["GET"])
    async def user_page(request: Request, user_id: str) -> Response:
        day, users = service.scores_of_today()
        today = service.today()

        def read() -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, list[Any]]:
            known_as = service.id_in_tables(user_id)
            listed = lists.find_listed(today, known_as)
            history = service.scores.history(known_as)
            try:
                return {"as_of": day, **lists.find_user(users, known_as)}, listed, history
            except RequestError as error:
                if error.status != 404:
                    raise
                return None, listed, history

        newest, listed, history = await in_thread(read)
        return _page(
            request,
            "user.html",
            title=f"User {user_id}",
            here="user",
            user_id=user_id,
            newest=newest,
            listed=listed,
            staying=_staying(service, newest),
            n_users=len(users),
            history=history,
            chart=draw_history(history),
            status=200 if newest or history else 404,
        )

    @add("/page/model", methods=["GET"])
    async def model_page(request: Request) -> Response:
        newest, predictor = service.drift.newest, service.champion.predictor
        told, decided = service.alerts.newest, service.decisions.newest
        measured = service.performance.newest
        figures = measured.rows.to_pylist() if measured else []
        reaches = list_reaches(figures)
        return _page(
            request,
            "model.html",
            title="Model health",
            here="model",
            checks=service.checks(),
            run_date=newest.day if newest else "",
            **describe_health(
                newest.rows.to_pylist() if newest else [],
                told.rows.to_pylist() if told else [],
            ),
            thresholds=describe_policy(decided.rows.to_pylist(), decided.day) if decided else "",
            lately=cancellations_told(figures),
            reach=describe_reach(reaches[-1]) if reaches else "",
            effect=describe_campaign(service.effect.newest),
            card=describe_model(predictor) if predictor else None,
            predicts=_predicts(service),
        )

    @add("/sign-in", methods=["POST"])
    async def sign_in(request: Request) -> Response:
        key = service.ring.find(await _form_value(request, "key"))
        if key is None:
            service.strangers.refuse(peer_of(request.scope))
            return Response(
                sign_in_page(_root_of(request), "This key is not known."), 401, media_type=_HTML
            )
        if "read" not in key.scopes:
            return Response(
                sign_in_page(_root_of(request), "This key may not read."), 403, media_type=_HTML
            )
        home = _root_of(request) + "/"
        cookie = service.sessions.issue(key, is_https=request.url.scheme == "https")
        return Response(status_code=303, headers={"location": home, "set-cookie": cookie})

    @add("/sign-out", methods=["POST"])
    async def sign_out(request: Request) -> Response:
        expected = request.scope["admission"].form_token
        found = await _form_value(request, "token")
        if not expected or not hmac.compare_digest(found.encode(), expected.encode()):
            raise RequestError("the form doesn't come from this page: open it again", 403)
        home = _root_of(request) + "/"
        cookie = service.sessions.withdraw(expected, is_https=request.url.scheme == "https")
        return Response(status_code=303, headers={"location": home, "set-cookie": cookie})


def _page(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    token = request.scope["admission"].form_token
    page = render(name, form_token=token, root=_root_of(request), **values)
    return Response(page, status, media_type=_HTML)


def _root_of(request: Request) -> str:
    return str(request.scope["root_path"])


async def _form_value(request: Request, name: str) -> str:
    try:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        # More fields than any form here has.
        return ""
    return fields.get(name, [""])[0]


def _filter(band: str, from_percent: str) -> lists.Filter:
    """What the form asks for; it sends what is left open as empty text."""
    chosen: Band | None = next((one for one in BANDS if one == band), None)
    if not from_percent:
        return lists.Filter(chosen)
    try:
        percent = float(from_percent)
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:
        raise RequestError(f"found {from_percent[:20]!r} percent, expected 0 to 100")
    return lists.Filter(chosen, percent / 100)


def _describe_list(today: lists.Today, config: RetentionListConfig) -> dict[str, Any]:
    """The list in figures; empty where the scores are shown instead."""
    if today.source != "list":
        return {}
    n_new, capacity = lists.count_new(today.users), config.capacity
    is_number = isinstance(capacity, int)
    return {
        "places": f"{capacity:,} places" if is_number else f"{percent(capacity)} of the scored",
        "value": sum(today.users.known["value_at_risk"].to_pylist()),
        "unit": config.value_unit,
        "n_new": n_new,
        "n_stayed": len(today.users) - n_new,
        "saves": lists.sum_saves(today.users),
        "n_left_alone": today.users.n_left_alone,
    }


def _lengths(service: Service, today: lists.Today) -> dict[str, Any] | None:
    """How long the list of a date should be; none where its scores aren't those in use."""
    if today.source != "list" or service.scores.newest is None:
        return None
    day, scored = service.scores_of_today()
    if day != today.day:
        return None
    listed, costs = today.users, service.config.costs
    by_effect = lists.cancels_by_effect(listed)
    bundle = _bundle_of(service, next(iter(scored.versions), ""))
    return describe_lengths(scored, len(listed), bundle, costs, by_effect)


def _staying(service: Service, newest: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How long a user stays, by the newest scores."""
    if newest is None:
        return None
    config = service.config
    unit = config.retention_list.value_unit
    bundle = _bundle_of(service, newest["model_version"])
    return describe_staying(newest, bundle, config.costs, unit)


def _bundle_of(service: Service, version: str) -> ModelBundle | None:
    """The model in use if it is that version: after a promotion the newest scores are another's."""
    predictor = service.champion.predictor
    return predictor.bundle if predictor and predictor.bundle.version == version else None


def _predicts(service: Service) -> str:
    predictor = service.champion.predictor
    return describe_prediction(predictor.bundle.label) if predictor else ""


def _problems(service: Service) -> list[str]:
    return [check.detail for check in service.checks().values() if not check.is_ok]
