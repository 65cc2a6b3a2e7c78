"""The routes of both protocols."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI, Request, Response

from churn_spark.serving import batches
from churn_spark.serving.interface import JSON, described_body, responses
from churn_spark.serving.predictor import Predictor
from churn_spark.serving.protocols import open_inference as protocol
from churn_spark.serving.protocols.invocations import CSV, invoke
from churn_spark.serving.refusals import WITH_KEY, Responses, refusal
from churn_spark.serving.service import Service, is_ready

_NO_SUCH_MODEL: Final[Responses] = {404: refusal("no such model or version"), **WITH_KEY}
_INFERRED: Final = _NO_SUCH_MODEL | responses(
    {name: {"type": "string"} for name in ("model_name", "model_version", "id")}
    | {"outputs": {"type": "array", "items": {"type": "object"}}}
)
_INVOKED: Final = responses({"predictions": {"type": "array", "items": {"type": "object"}}})
_INFER: Final = described_body({JSON: protocol.describe_request()})
_INVOKE: Final = described_body({JSON: {"type": "object"}, CSV: {"type": "string"}})


def add_protocols(app: FastAPI, service: Service, in_thread: Any) -> None:
    """Add the routes; bodies are read beside the loop that answers."""
    _add_health(app, service)
    _add_models(app, service)
    limits, figures = batches.BatchLimits.of(service.config.serving), service.figures

    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        body = await request.body()
        predictor = service.champion.current()
        protocol.check_model(name, version, predictor)
        content, n_rows = await in_thread(lambda: protocol.infer(body, predictor, limits))
        figures.rows.inc(n_rows)
        return Response(content, media_type=JSON)

    @app.post("/v2/models/{name}/infer", openapi_extra=_INFER, responses=_INFERRED)
    async def infer_newest(request: Request, name: str) -> Response:
        """Predictions for some rows, one input for each feature (Open Inference Protocol)."""
        return await infer(request, name)

    @app.post(
        "/v2/models/{name}/versions/{version}/infer", openapi_extra=_INFER, responses=_INFERRED
    )
    async def infer_version(request: Request, name: str, version: str) -> Response:
        """The same, refused when another version answers."""
        return await infer(request, name, version)

    @app.post("/invocations", openapi_extra=_INVOKE, responses=_INVOKED)
    async def invocations(request: Request) -> Response:
        """Predictions for some rows, as MLflow's scoring server takes them: JSON or CSV."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await request.body()
        predictor = service.champion.current()
        content, n_rows = await in_thread(lambda: invoke(body, kind, predictor, limits))
        figures.rows.inc(n_rows)
        return Response(content, media_type=JSON)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """The process is alive (Open Inference Protocol)."""
        return {"live": True}

    @app.get("/v2/health/ready", responses={503: {"description": "not ready"}})
    async def ready(response: Response) -> dict[str, bool]:
        """As `/ready`: 200 or 503 (Open Inference Protocol)."""
        found = is_ready(service.checks())
        response.status_code = 200 if found else 503
        return {"ready": found}

    @app.get("/ping", responses={503: {"description": "not ready"}})
    async def ping(response: Response) -> dict[str, bool]:
        """As `/ready`: 200 or 503 (MLflow's scoring server, SageMaker)."""
        return await ready(response)


def _add_models(app: FastAPI, service: Service) -> None:
    @app.get("/v2", responses=WITH_KEY)
    async def server() -> dict[str, Any]:
        """Name and version of this service (Open Inference Protocol)."""
        return dict(protocol.SERVER)

    def checked(name: str, version: str | None = None) -> Predictor:
        predictor = service.champion.current()
        protocol.check_model(name, version, predictor)
        return predictor

    @app.get("/v2/models/{name}", responses=_NO_SUCH_MODEL)
    async def metadata(name: str) -> dict[str, Any]:
        """What the model takes and gives (Open Inference Protocol)."""
        return protocol.describe_metadata(checked(name))

    @app.get("/v2/models/{name}/versions/{version}", responses=_NO_SUCH_MODEL)
    async def metadata_of_version(name: str, version: str) -> dict[str, Any]:
        """The same, refused when another version answers."""
        return protocol.describe_metadata(checked(name, version))

    @app.get("/v2/models/{name}/ready", responses=_NO_SUCH_MODEL)
    async def model_ready(name: str) -> dict[str, Any]:
        """A model answers: 200; 503 while none does (Open Inference Protocol)."""
        checked(name)
        return {"name": name, "ready": True}

    @app.get("/v2/models/{name}/versions/{version}/ready", responses=_NO_SUCH_MODEL)
    async def version_ready(name: str, version: str) -> dict[str, Any]:
        """The same, refused when another version answers."""
        checked(name, version)
        return {"name": name, "ready": True}
