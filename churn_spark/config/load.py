"""Reading the configuration: files, environment and overrides, checked whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from churn_spark.config import data, models, secrets
from churn_spark.config.catalog import CatalogConfig
from churn_spark.config.maintenance import MaintenanceConfig
from churn_spark.config.monitoring import (
    AlertsConfig,
    ChecksConfig,
    MonitoringConfig,
    PolicyConfig,
)
from churn_spark.config.privacy import PrivacyConfig
from churn_spark.config.runs import RunsConfig
from churn_spark.config.schedule import ScheduleConfig
from churn_spark.config.scoring import RetentionListConfig, ScoringConfig, UpliftConfig
from churn_spark.config.section import Section
from churn_spark.config.serving import ServingConfig
from churn_spark.config.slices import EvaluationConfig, LearningConfig, NightConfig, ServiceConfig
from churn_spark.config.yaml_text import NoSuchValueError, RepeatedKeyError, parse_yaml
from churn_spark.errors import ConfigError

Slice = TypeVar("Slice", bound=Section)

_ADDRESS = "^[A-Za-z][A-Za-z0-9+.-]*:(//[^/]*)?(?=/|$)"
"""What may come before the folders of a place: `file:`, `hdfs://name:8020`."""
_RENAMED = {"list": "retention_list"}
"""Key of an older version -> what it is called now."""


class Config(Section):
    """The whole configuration of one run."""

    lakehouse: str
    lock: data.LockConfig
    spark: data.SparkConfig
    ingest: data.IngestConfig
    privacy: PrivacyConfig
    snapshots: data.SnapshotsConfig
    labels: data.LabelsConfig
    training: models.TrainingConfig
    lightgbm: models.LightGBMConfig
    logistic_regression: models.LogisticRegressionConfig
    behaviour: models.BehaviourConfig
    backtest: models.BacktestConfig
    tuning: models.TuningConfig
    encoding: models.EncodingConfig
    registry: models.RegistryConfig
    scoring: ScoringConfig
    retention_list: RetentionListConfig
    uplift: UpliftConfig
    monitoring: MonitoringConfig
    costs: models.CostsConfig
    policy: PolicyConfig
    checks: ChecksConfig
    alerts: AlertsConfig
    schedule: ScheduleConfig
    maintenance: MaintenanceConfig
    runs: RunsConfig
    catalog: CatalogConfig
    serving: ServingConfig
    leakage: models.LeakageConfig

    @field_validator("lakehouse")
    @classmethod
    def _as_path(cls, place: str) -> str:
        """The place as all of the project's libraries take it: of a local folder its path."""
        if not place.strip():
            raise ValueError("expected a folder, or an address of object storage")
        if ":" in re.sub(_ADDRESS, "", place):
            raise ValueError("expected a place without a colon in its folders: Hadoop finds none")
        # An object store takes a second slash for a name of its own.
        return re.sub("(?<=[^/:])/+$", "", re.sub("^file:/+", "/", place))

    @model_validator(mode="after")
    def _check_silence(self) -> Self:
        active, horizon = self.snapshots.active_days, self.labels.horizon_days
        if self.labels.churn == "inactivity" and active > horizon:
            raise ValueError(
                f"labels.churn inactivity: found snapshots.active_days {active} above "
                f"labels.horizon_days {horizon}, expected at most as many: who is silent for "
                "longer has churned already"
            )
        return self

    @property
    def learning(self) -> LearningConfig:
        """What decides a training."""
        return self._pick(
            LearningConfig,
            max_reference_rows=self.monitoring.max_baseline_rows,
            effect_days=self.retention_list.effect_days,
        )

    @property
    def evaluation(self) -> EvaluationConfig:
        """What a test of the model on the past needs."""
        return self._pick(EvaluationConfig)

    @property
    def night(self) -> NightConfig:
        """What a night needs."""
        return self._pick(NightConfig)

    @property
    def service(self) -> ServiceConfig:
        """What the service needs."""
        return self._pick(ServiceConfig)

    def _pick(self, kind: type[Slice], **others: object) -> Slice:
        """A slice: its sections are those of the same names."""
        sections = {name: getattr(self, name) for name in kind.model_fields if name not in others}
        return kind(**sections, **others)


def load_config(env: str = "local", overrides: Sequence[str] = ()) -> Config:
    """Read `conf/base.yaml`, the environment's file, variables and the overrides, in that order.

    The variables are `$LAKEHOUSE` and those of values that may be secrets.

    Args:
        env: name of a file in `conf/`, without its ending.
        overrides: `section.key=value` each, the value in YAML.

    Raises:
        ConfigError: if a file is missing or keys or values don't fit; all of them are listed.
    """
    folder = conf_folder()
    values = _merge(_read_yaml(folder / "base.yaml"), _read_yaml(folder / f"{env}.yaml"))
    if os.environ.get("LAKEHOUSE"):
        values["lakehouse"] = os.environ["LAKEHOUSE"]
    values = _merge(values, secrets.read_variables())
    changes: dict[str, Any] = {}
    for override in overrides:
        changes = _merge(changes, _parse_override(override))
    values = _with_mapping(values, changes)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_describe(problem) for problem in error.errors())
        raise ConfigError(
            f"invalid configuration: {problems}. All keys are in conf/base.yaml"
        ) from error


def _with_mapping(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """All values, with what the mapping's file says in the place of its name.

    Its `settings` are what else of the configuration belongs to the log: they come after the
    environment's and before the overrides.
    """
    merged = _merge(values, changes)
    ingest = merged.get("ingest")
    name = ingest.get("mapping") if isinstance(ingest, Mapping) else None
    if not isinstance(name, str):
        return merged
    if not Path(name).is_file():
        raise ConfigError(
            f"found no file {name}, expected the mapping that ingest.mapping or --mapping names: "
            "check_mapping --events PATH proposes one"
        )
    mapping = _read_values(Path(name))
    settings = mapping.pop("settings", None) or {}
    if not isinstance(settings, Mapping):
        raise ConfigError(f"settings in {name} hold no section, expected labels: and such")
    profile = mapping.get("profile")
    if isinstance(profile, dict) and isinstance(profile.get("file"), str):
        # Named from beside the mapping, whatever folder the job is started in.
        profile["file"] = str(Path(name).absolute().parent / profile["file"])
    merged = _merge(_merge(values, settings), changes)
    return _merge(merged, {"ingest": {"mapping": mapping}})


def _describe(problem: ErrorDetails) -> str:
    """Say what is wrong; without the value where it is a secret, or a section that may hold one."""
    where, found = ".".join(map(str, problem["loc"])), problem["input"]
    if problem["type"] == "extra_forbidden":
        if where in _RENAMED:
            return f"{where}: renamed, say {_RENAMED[where]} instead"
        return f"{where}: no such key{_suggest(*map(str, problem['loc']))}"
    if problem["type"] == "model_type":
        shown = "a text" if isinstance(found, str) else repr(found)
        return f"{where}: expected a section of keys (found {shown})"
    message = problem["msg"].removeprefix("Value error, ")
    is_hidden = isinstance(found, Mapping) or secrets.is_secret(where)
    return f"{where}: {message}" + ("" if is_hidden else f" (found {found!r})")


def _suggest(*path: str) -> str:
    """The key that was probably meant, as an end of the sentence."""
    section: type[BaseModel] = Config
    for name in path[:-1]:
        section = next(_sections_of(section.model_fields[name].annotation))
    close = get_close_matches(path[-1], section.model_fields, n=1)
    return f" (did you mean {'.'.join((*path[:-1], *close))}?)" if close else ""


def _sections_of(annotation: object) -> Iterator[type[BaseModel]]:
    """The section that a type is, or those that it may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _sections_of(one)


def conf_folder() -> Path:
    """`$CHURN_CONF_DIR`, or the `conf/` folder that came with the package."""
    return Path(os.environ.get("CHURN_CONF_DIR") or shipped_path("conf"))


def shipped_path(name: str) -> Path:
    """Where a file or folder of the checkout is: beside the package, and in a wheel within."""
    package = Path(__file__).resolve().parents[1]
    within = package / name
    return within if within.exists() else package.parent / name


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        files = sorted(file.stem for file in path.parent.glob("*.yaml"))
        known = ", ".join(name for name in files if name != "base") or "none"
        raise ConfigError(
            f"no configuration {path.stem!r} in {path.parent}; there is: {known}. "
            "Pass one of them to --env"
        )
    return _read_values(path)


def _read_values(path: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(
            f"{path} can't be read: {error.strerror}; expected a file that this user may read"
        ) from error
    except RepeatedKeyError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = _place_of(error)
        raise ConfigError(f"{path} is no valid YAML in UTF-8{where}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}, expected sections with keys")
    return values


def _place_of(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Where a file or a value ceases to be YAML; what it says there may be a secret."""
    mark = getattr(error, "problem_mark", None)
    told = f", {error.problem}" if isinstance(error, NoSuchValueError) else ""
    return f": line {mark.line + 1}, column {mark.column + 1}{told}" if mark else ""


def _parse_override(override: str) -> dict[str, Any]:
    path, separator, value = override.partition("=")
    if not separator or not path:
        name = re.match(r"[\w.]*", override)
        shown = name[0] if name else ""
        raise ConfigError(f"found --set {shown!r} without a value, expected section.key=value")
    try:
        nested: Any = parse_yaml(value)
    except RepeatedKeyError as error:
        raise ConfigError(f"the value in --set {path!r}: {error}") from None
    except yaml.YAMLError as error:
        where = _place_of(error)
        raise ConfigError(f"the value in --set {path!r} is no valid YAML{where}") from None
    secrets.refuse_on_command_line(path, nested)
    for key in reversed(path.split(".")):
        nested = {key: nested}
    return dict(nested)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, change in changes.items():
        value, below = change, merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _merge(below, value)
        merged[key] = value
    return merged
