"""The nights decided again, with other thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import pandas as pd
from pydantic import ValidationError

from churn_spark.config import PolicyConfig
from churn_spark.errors import ConfigError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.replay import decide_otherwise, is_otherwise
from churn_spark.monitoring.policy.replayed import judged_nights
from churn_spark.pipeline.replay import read_decisions


def replay_nights(
    lakehouse: Lakehouse, policy: PolicyConfig, thresholds: Mapping[str, float | bool]
) -> pd.DataFrame:
    """What was decided on each judged night, beside what other thresholds would have decided.

    Raises:
        ConfigError: if there is no such threshold, or a value doesn't fit.
        MissingTableError: if no night was judged yet.
    """
    other = _changed(policy, thresholds)
    start, nights, stored = judged_nights(read_decisions(lakehouse))
    otherwise = [*decide_otherwise(start, nights, other)]
    return pd.DataFrame(
        {
            "night": [one.night for one in stored],
            "decided": [f"{one.kind} ({one.rule})" for one in stored],
            "otherwise": [f"{one.kind} ({one.rule})" for one in otherwise],
            "is_otherwise": [*map(is_otherwise, stored, otherwise)],
            "reason": [one.reason for one in otherwise],
        }
    )


def _changed(policy: PolicyConfig, thresholds: Mapping[str, float | bool]) -> PolicyConfig:
    for name in thresholds:
        if name not in PolicyConfig.model_fields:
            close = get_close_matches(name, PolicyConfig.model_fields, n=1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            raise ConfigError(
                f"found no threshold {name}{meant}, expected one of the section `policy` in "
                "conf/base.yaml"
            )
    try:
        return PolicyConfig.model_validate({**policy.model_dump(), **thresholds})
    except ValidationError as error:
        problems = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        raise ConfigError(
            f"found thresholds that don't fit ({problems}), expected those of a policy: "
            "conf/base.yaml says what each means"
        ) from error
