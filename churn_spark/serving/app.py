"""The routes: one row, many rows, the list, one user, the model, and how the service is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from threadpoolctl import threadpool_limits

from churn_spark import __version__
from churn_spark.errors import RequestError
from churn_spark.serving import batches, contract
from churn_spark.serving.contact_routes import add_contacts
from churn_spark.serving.events.request import describe_request, parse_events
from churn_spark.serving.events.values import compute_values
from churn_spark.serving.gate import error_body, error_headers
from churn_spark.serving.interface import (
    BATCH,
    JSON,
    PREDICTED,
    PREDICTED_EVENTS,
    PREDICTED_MANY,
    described_body,
    user_schema,
)
from churn_spark.serving.page_routes import add_pages
from churn_spark.serving.predictor import Predictor
from churn_spark.serving.protocols.routes import add_protocols
from churn_spark.serving.refusals import ANYWHERE, WITH_KEY, Responses
from churn_spark.serving.service import Service, is_ready
from churn_spark.serving.table_routes import add_tables
from churn_spark.serving.watching import Watcher

_COUNTED: Final[Responses] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_NOT_READY: Final[Responses] = {
    503: {"model": dict[str, Any], "description": "not ready; with what was found"}
}
Result = TypeVar("Result")


def build_app(service: Service) -> FastAPI:
    """The routes over a service; its watcher runs as long as the app does."""
    # One large body at a time is unfolded; what is read is read beside it.
    parsing = ThreadPoolExecutor(1, thread_name_prefix="parse")
    reading = ThreadPoolExecutor(2, thread_name_prefix="read")
    # One at a time, too: a contact is kept once. A slow store keeps nothing else waiting.
    writing = ThreadPoolExecutor(1, thread_name_prefix="write")

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        watcher = Watcher(service.looks(), service.config.serving.poll_seconds)
        watcher.start()
        try:
            # The behaviour model's matrices are tiny: BLAS threads would only wait for each other.
            with threadpool_limits(limits=1, user_api="blas"):
                yield
        finally:
            await asyncio.to_thread(watcher.stop)
            for pool in (parsing, reading, writing):
                pool.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="churn_spark",
        summary="Who is about to cancel, and why",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=ANYWHERE,
        lifespan=living,
    )
    app.add_exception_handler(RequestError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_query)
    app.add_exception_handler(Exception, _say_unexpected)

    async def parse(function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(parsing, function)

    async def read(function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(reading, function)

    async def write(function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(writing, function)

    _add_predictions(app, service, parse)
    _add_events(app, service, parse)
    add_tables(app, service, read)
    add_protocols(app, service, parse)
    add_contacts(app, service, write)
    _add_health(app, service)
    add_pages(app, service, read)
    return app


def _add_predictions(app: FastAPI, service: Service, in_thread: Any) -> None:
    figures, limits = service.figures, batches.BatchLimits.of(service.config.serving)
    one_user = described_body({JSON: user_schema()})

    @app.post("/predict", openapi_extra=one_user, responses=PREDICTED)
    async def predict(request: Request) -> Response:
        """The chance to cancel of one user; `?explain=true` adds the reasons."""
        values = contract.parse_user(await request.body())
        predictor = service.champion.current()
        probability = predictor.predict_one(values)
        answer = _answer(predictor, probability)
        if values["user_id"] is not None:
            answer["user_id"] = values["user_id"]
        if _is_explained(request):
            answer["reasons"] = predictor.explain_one(values)
        figures.rows.inc()
        return Response(json.dumps(answer), media_type=JSON)

    @app.post("/predict/batch", openapi_extra=described_body(BATCH), responses=PREDICTED_MANY)
    async def predict_batch(request: Request) -> Response:
        """Many users at once; a row that doesn't fit has its problems instead of a probability.

        What isn't called Arrow or Parquet is read as JSON. Answers in Arrow where `Accept` asks.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        wants_arrow = batches.ARROW in request.headers.get("accept", "")
        is_explained = _is_explained(request)
        body = await request.body()
        predictor = service.champion.current()

        def answer() -> tuple[bytes, int, int]:
            batch = batches.read_batch(body, kind, limits)
            answers = batches.answer_batch(batch, predictor, explain=is_explained)
            write = batches.write_arrow if wants_arrow else batches.write_json
            return write(answers, predictor), len(batch.rows), answers.n_failed

        content, n_rows, n_failed = await in_thread(answer)
        figures.rows.inc(n_rows - n_failed)
        figures.failed_rows.inc(n_failed)
        return Response(content, media_type=batches.ARROW if wants_arrow else JSON)


def _add_events(app: FastAPI, service: Service, in_thread: Any) -> None:
    described = described_body({JSON: describe_request(service.config.serving.max_events)})

    @app.post("/predict/events", openapi_extra=described, responses=PREDICTED_EVENTS)
    async def predict_events(request: Request) -> Response:
        """The chance to cancel of one user by the raw events before a date.

        The features are computed as the nightly snapshots compute them; `?explain=true` adds the
        reasons.
        """
        is_explained = _is_explained(request)
        body = await request.body()
        predictor = service.champion.current()
        log_start = service.first_day(predictor)

        def answer() -> bytes:
            user = parse_events(body, service.config, service.log_start.out_of_place)
            computed = compute_values(user, predictor.bundle, log_start, with_parts=is_explained)
            found: dict[str, Any] = {"user_id": user.user_id, "as_of": str(user.as_of)}
            found |= _answer(predictor, predictor.predict_one(computed.values))
            if is_explained:
                found["reasons"] = predictor.explain_one(computed.values, computed.parts)
            return json.dumps({**found, "events": user.account}).encode()

        content = await in_thread(answer)
        service.figures.rows.inc()
        return Response(content, media_type=JSON)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        """The process is alive."""
        return {"status": "alive"}

    @app.get("/ready", responses=_NOT_READY)
    async def ready(response: Response) -> dict[str, Any]:
        """A model answers and the scores are fresh: 200, otherwise 503; with what was found."""
        checks = service.checks()
        response.status_code = 200 if is_ready(checks) else 503
        found = {name: asdict(check) for name, check in checks.items()}
        return {"is_ready": is_ready(checks), "checks": found}

    @app.get("/metrics", response_class=Response, responses=_COUNTED | WITH_KEY)
    async def metrics() -> Response:
        """What the service has counted, for Prometheus."""
        return Response(service.figures.text(), media_type="text/plain; version=0.0.4")


def _answer(predictor: Predictor, probability: float) -> dict[str, Any]:
    return {
        "churn_probability": probability,
        "risk_band": predictor.limits.band(probability),
        "model_version": predictor.bundle.version,
        "feature_fingerprint": predictor.bundle.encoding.fingerprint,
    }


def _is_explained(request: Request) -> bool:
    value = request.query_params.get("explain", "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise RequestError(f"found explain={value[:20]!r}, expected true or false")
    return value in ("true", "1")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    answer = Response(error_body(error, request.scope), error.status, media_type=JSON)
    answer.raw_headers.extend(error_headers(error))
    return answer


async def _refuse_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        {
            "field": str(one["loc"][-1]),
            "problem": one["msg"],
            "found": contract.shown(one["input"]),
        }
        for one in error.errors()
    ]
    return await _refuse(request, RequestError("the query doesn't fit", 422, problems))


async def _say_unexpected(request: Request, _: Exception) -> Response:
    return await _refuse(request, RequestError("an unexpected error; it is in the log", 500))
