"""A lakehouse with a champion, scores and drift, made in seconds without Spark."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import uvicorn
from deltalake import write_deltalake

from churn_spark.config import Config, load_config
from churn_spark.contracts.champion import Published
from churn_spark.contracts.features.spec import FEATURE_SETS, FEATURES, fingerprint, model_features
from churn_spark.errors import NoChampionError
from churn_spark.models.behaviour.calendar import Calendar
from churn_spark.models.behaviour.cells import N_CELLS, SHAPE
from churn_spark.models.behaviour.mixture import Mixture
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.outcomes import solve_sessions
from churn_spark.models.behaviour.visits import VisitPrior
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.fading.clock import WeeklyClock
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.parameters import Parameters
from churn_spark.models.offset import Offset
from churn_spark.models.registry import CHAMPION, ModelRegistry
from churn_spark.scoring.bands import BandLimits
from churn_spark.serving.champion import ChampionWatch
from churn_spark.serving.keys import ENVIRONMENT
from churn_spark.serving.logs import AccessLog
from churn_spark.serving.server import build_server_config
from churn_spark.serving.service import Service

KEY = "a-key-with-every-scope-0123456789abcdef"
LEVELS = {
    "last_subscription_level": ("paid", "free"),
    "gender": ("F", "M"),
    "location": ("CA", "NY", "TX", "FL"),
    "os": ("Windows", "Mac", "Linux", "iPhone"),
    "browser": ("Chrome", "Firefox", "Safari"),
}
AS_OF = date(2018, 11, 30)
ODD_USER = '<b>7/8</b>&"?#'


def make_rows(n: int, seed: int = 0) -> pd.DataFrame:
    """Snapshot rows: some values missing, some levels that no training has seen."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for feature in FEATURES:
        if feature.is_numeric:
            values = rng.gamma(1.5, 12.0, n)
            values = np.floor(values) if feature.data_type == "long" else values
            values = values if feature.bounds[1] is None else values / values.max()
            columns[feature.name] = np.where(rng.random(n) < 0.05, np.nan, values)
        else:
            levels = (*LEVELS.get(feature.name, ("a", "b", "c")), "never seen", None)
            columns[feature.name] = np.array(levels, dtype=object)[rng.integers(0, len(levels), n)]
    return pd.DataFrame(columns)


def make_encoding() -> Encoding:
    """The encoding of the model's features."""
    features = model_features(list(FEATURE_SETS), use_gender=False)
    names = tuple(feature.name for feature in features)
    levels = {f.name: LEVELS.get(f.name, ("a", "b", "c")) for f in features if not f.is_numeric}
    typical: dict[str, float | str | None] = dict.fromkeys(names, 12.0)
    typical |= {name: one[0] for name, one in levels.items()}
    return Encoding(names, levels, typical, fingerprint(features))


def make_bundle(seed: int = 0, rounds: int = 40) -> ModelBundle:
    """A small model that has learned that short tenure and many downgrades mean a cancellation."""
    encoding = make_encoding()
    rows = make_rows(1500, seed)
    matrix = encoding.encode(rows)
    rng = np.random.default_rng(seed + 1)
    odds = np.nan_to_num(matrix[:, encoding.features.index("num_downgrades")]) / 10 - 3
    odds -= np.nan_to_num(matrix[:, 0]) / 40
    labels = (rng.random(len(rows)) < 1 / (1 + np.exp(-odds))).astype(float)
    data = lightgbm.Dataset(
        matrix,
        labels,
        categorical_feature=[encoding.features.index(c) for c in encoding.categorical],
    )
    parameters = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    trees = lightgbm.train(parameters, data, num_boost_round=rounds)
    margins = np.asarray(trees.predict(matrix, raw_score=True, num_threads=1))
    calibration = Calibration.match_base_rate(margins, labels)
    baseline = pd.DataFrame(matrix, columns=list(encoding.features)).assign(
        churn_probability=calibration.probabilities(margins)
    )
    return ModelBundle(
        native_text=trees.model_to_string(),
        encoding=encoding,
        calibration=calibration,
        base_rate=float(labels.mean()),
        label={"kind": "horizon", "horizon_days": 14, "gap_days": 1},
        baseline=baseline.head(400),
    )


def make_behaviour() -> BehaviourModel:
    """A behaviour model of three classes that nobody has fitted."""
    rng = np.random.default_rng(8)
    chances = rng.dirichlet(np.full(SHAPE[2], 0.3), (3, *SHAPE[:2])) + 1e-4
    log_chances = np.log(chances / chances.sum(axis=-1, keepdims=True)).reshape(3, N_CELLS)
    return BehaviourModel(
        mixture=Mixture(np.array([0.5, 0.3, 0.2]), log_chances, -1.0, 2.0),
        sessions=solve_sessions(log_chances, np.full(N_CELLS, 60.0)),
        prior=VisitPrior(-1.5, 0.8),
        calendar=Calendar(0.6),
        log_start=date(2018, 10, 1),
        fitted_before=AS_OF,
    )


def make_fading() -> FadingModel:
    """A model of fading that nobody has fitted."""
    return FadingModel(
        parameters=Parameters(0.01, 0.04, 2.2, 0.0005, 0.02, 1.2, 0.8),
        profile=np.where(np.arange(30) < 3, 5.0, 15.0 / 27.0),
        clock=WeeklyClock(1.0 + 0.5 * np.sin(np.arange(168) * np.pi / 12.0)),
        log_start=date(2018, 10, 1),
        fitted_before=AS_OF,
    )


def add_behaviour(bundle: ModelBundle) -> ModelBundle:
    """The bundle with models of behaviour and of fading, whose log-odds its trees add to."""
    offset = Offset({"behaviour_probability": 0.8, "fading_probability": 0.3}, 0.1, 0.05)
    models = {"behaviour": make_behaviour(), "fading": make_fading()}
    changed = replace(bundle, **models, offset=offset)
    matrix = bundle.baseline[list(bundle.encoding.features)].to_numpy()
    probabilities = bundle.calibration.probabilities(changed.margins(matrix))
    return replace(changed, baseline=bundle.baseline.assign(churn_probability=probabilities))


def make_config(lakehouse: Path, **serving: object) -> Config:
    """The configuration of a service on a free port that looks again every tenth of a second.

    Its scores may be of years ago.
    """
    values = {"port": 0, "poll_seconds": 0.1, "max_scores_age_hours": 1e6, **serving}
    overrides = [f"serving.{name}={value}" for name, value in values.items()]
    return load_config(overrides=[*overrides, f"lakehouse={lakehouse}"])


_REASON_FIELDS = pa.list_(
    pa.struct(
        [
            *((name, pa.string()) for name in ("feature", "direction")),
            *((name, pa.float64()) for name in ("contribution", "value", "typical")),
            *((name, pa.string()) for name in ("level", "typical_level")),
        ]
    )
)


def register_champion(config: Config, bundle: ModelBundle) -> str:
    """Register the bundle and make it the champion, whoever was; returns its version."""
    registry = ModelRegistry(config.registry, config.lakehouse)
    with registry.run("lightgbm", {"as_of": str(AS_OF)}) as run_id:
        version = registry.register(bundle, run_id, {"roc_auc": 0.71, "f1": float("nan")})
    registry._client.set_registered_model_alias(config.registry.model_name, CHAMPION, version)
    return version


def make_scores(bundle: ModelBundle, config: Config, n: int, as_of: date = AS_OF) -> pd.DataFrame:
    """The scores of some users, as the job writes them."""
    rows = make_rows(n, seed=(as_of - AS_OF).days + 100)
    limits = BandLimits.of(bundle.base_rate, config.scoring)
    reasons = bundle.reasons(rows, config.scoring)
    scores = pd.DataFrame(
        {
            "as_of": as_of,
            "user_id": [ODD_USER, *(str(1000 + position) for position in range(1, n))],
            "model_version": bundle.version or "1",
            "churn_probability": bundle.probabilities(rows),
            "reasons": [[one.sentence for one in several] for several in reasons],
            "reason_fields": [[one.fields() for one in several] for several in reasons],
        }
    ).sort_values(["churn_probability", "user_id"], ascending=[False, True])
    scores["risk_rank"] = np.arange(1, n + 1)
    scores["risk_band"] = [limits.band(one) for one in scores["churn_probability"]]
    scores["value_at_risk"] = scores["churn_probability"]
    # Files hold no order.
    return scores.sample(frac=1, random_state=0)


def write_scores(scores: pd.DataFrame, config: Config) -> None:
    """Replace the scores of one date."""
    schema = pa.schema(
        [
            ("as_of", pa.date32()),
            ("user_id", pa.string()),
            ("model_version", pa.string()),
            ("churn_probability", pa.float64()),
            ("risk_rank", pa.int32()),
            ("risk_band", pa.string()),
            ("value_at_risk", pa.float64()),
            ("reasons", pa.list_(pa.string())),
            ("reason_fields", _REASON_FIELDS),
        ]
    )
    day = scores["as_of"].iloc[0]
    folder = Path(config.lakehouse) / "ml" / "scores"
    table = pa.Table.from_pandas(scores, schema, preserve_index=False)
    predicate = f"as_of = '{day}'" if folder.exists() else None
    write_deltalake(folder, table, mode="overwrite", partition_by=["as_of"], predicate=predicate)


def make_list(scores: pd.DataFrame, n: int) -> pd.DataFrame:
    """The retention list of some scores, as the job writes it: every third user is new."""
    listed = scores.sort_values(["value_at_risk", "user_id"], ascending=[False, True]).head(n)
    ranks = np.arange(1, n + 1)
    is_new = ranks % 3 == 1
    as_of = scores["as_of"].iloc[0]
    listed = listed.drop(columns="risk_rank").assign(
        list_rank=ranks,
        would_help=[[] if rank % 5 == 0 else [f"if came {rank} times: 1 %"] for rank in ranks],
        on_list_since=[as_of if new else as_of - timedelta(days=4) for new in is_new],
        days_on_list=np.where(is_new, 1, 5),
        previous_rank=pd.Series(ranks + 7, listed.index, dtype="Int32").mask(is_new),
        assignment="listed",
        expected_saves=None,
    )
    # Files hold no order.
    return listed.sample(frac=1, random_state=0)


def write_list(listed: pd.DataFrame, config: Config) -> None:
    """Append the retention list of one date."""
    schema = pa.schema(
        [
            ("as_of", pa.date32()),
            ("user_id", pa.string()),
            ("model_version", pa.string()),
            ("list_rank", pa.int32()),
            ("churn_probability", pa.float64()),
            ("risk_band", pa.string()),
            ("value_at_risk", pa.float64()),
            ("reasons", pa.list_(pa.string())),
            ("reason_fields", _REASON_FIELDS),
            ("would_help", pa.list_(pa.string())),
            ("on_list_since", pa.date32()),
            ("days_on_list", pa.int32()),
            ("previous_rank", pa.int32()),
            ("assignment", pa.string()),
            ("expected_saves", pa.float64()),
        ]
    )
    folder = Path(config.lakehouse) / "ml" / "retention_lists"
    table = pa.Table.from_pandas(listed, schema, preserve_index=False)
    write_deltalake(folder, table, mode="append", partition_by=["as_of"])


def write_drift(config: Config) -> None:
    """Drift of three features: one has moved, one as expected, one could not be compared."""
    base = {
        "run_date": AS_OF,
        "comparison": "training",
        "slice": "all",
        "model_version": "1",
        "status": "ok",
        "missing_rate_current": 0.05,
        "kind": "number",
        "ks_statistic": 0.02,
        "total_variation": None,
        "lower_bound": 0.01,
        "adjusted_p_value": 0.5,
        "importance": 0.1,
        "direction": "higher",
        "is_trending": False,
        "is_breached": False,
        **dict.fromkeys(("contribution_baseline", "contribution_current")),
        **dict.fromkeys(("auc", "auc_low", "auc_high", "told_by")),
    }
    rows = [
        {**base, "feature": "tenure_days", "ks_statistic": 0.4, "is_trending": True}
        | {"is_breached": True},
        {**base, "feature": "avg_songs_per_session", "ks_statistic": 0.2, "is_breached": True}
        | {"contribution_baseline": 0.2, "contribution_current": 0.25},
        {**base, "feature": "num_friends_added"},
        {**base, "feature": "num_downgrades", "status": "skipped", "ks_statistic": None},
        {**base, "feature": "joint", "comparison": "joint", "ks_statistic": None}
        | {"auc": 0.512, "auc_low": 0.497, "auc_high": 0.527, "told_by": ["songs_7d", "os"]},
    ]
    folder = Path(config.lakehouse) / "monitoring" / "drift"
    write_deltalake(folder, pa.Table.from_pylist(rows), partition_by=["run_date"])


@dataclass
class FakeSource:
    """A published champion in memory: it can be exchanged, or made to fail."""

    bundle: ModelBundle | None
    error: Exception | None = None
    n_loads: int = 0

    def newest(self) -> Published:
        if self.bundle is None:
            raise NoChampionError("no champion is published")
        version = self.bundle.version
        about = {"as_of": str(AS_OF), "of_version": version}
        return Published(version, self.bundle.encoding.fingerprint, f"{version}-0", {}, about)

    def load(self, published: Published) -> ModelBundle:
        self.n_loads += 1
        if self.error:
            raise self.error
        assert self.bundle is not None
        return replace(self.bundle, version=published.version)


def build_service(config: Config, source: FakeSource) -> Service:
    """A service that takes its champion from memory."""
    return Service(config.service, ChampionWatch(source, config.scoring))


def fill_tables(config: Config, bundle: ModelBundle, n_users: int = 120, n_dates: int = 4) -> None:
    """The scores of some dates and the drift."""
    for days in reversed(range(n_dates)):
        write_scores(make_scores(bundle, config, n_users, AS_OF - timedelta(days=days)), config)
    write_drift(config)


@contextmanager
def running(service: Service, log: StringIO | None = None) -> Iterator[str]:
    """The real server in a thread, on a port of its own; gives its address."""
    server = uvicorn.Server(build_server_config(service, AccessLog(log or StringIO())))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(15)


@contextmanager
def answering(
    config: Config, bundle: ModelBundle, n_users: int, log: StringIO | None = None
) -> Iterator[httpx.Client]:
    """A ready service over tables of some users, and a client that presents its key."""
    Path(config.lakehouse).mkdir()
    fill_tables(config, bundle, n_users)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENVIRONMENT, KEY)
        service = build_service(config, FakeSource(bundle))
        with running(service, log) as address, client_of(address) as client:
            wait_until_ready(address)
            yield client


def wait_until_ready(address: str) -> None:
    """Wait until the champion and the tables have been read."""
    for _ in range(400):
        if httpx.get(f"{address}/ready").status_code == 200:
            return
    raise AssertionError(httpx.get(f"{address}/ready").text)


def client_of(address: str, key: str = KEY) -> httpx.Client:
    """A client that presents the key."""
    return httpx.Client(base_url=address, headers={"authorization": f"Bearer {key}"})
