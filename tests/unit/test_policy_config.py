"""The policy's, the checks' and the alerts' knobs: what is refused."""

from __future__ import annotations

import pytest

from churn_spark.config import load_config
from churn_spark.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("policy.exit_statistic=0.05", "must be at most enter_lower_bound"),
        ("policy.bad_nights=4", "must be at most of_nights 3"),
        ("policy.cooldown_days=57", "must be at most max_cooldown_days 56"),
        ("policy.max_probation_high=0.01", "policy.max_probation_high: "),
        ("policy.cooldown=14", "policy.cooldown: no such key"),
        ("checks.min_volume_ratio=1", "checks.min_volume_ratio: "),
        ("checks.max_chance=0", "checks.max_chance: "),
        ("alerts.smtp_host=mail", "needs mail_from and mail_to"),
        ("alerts.webhook_url=http:localhost", "alerts.webhook_url"),
        ("alerts.max_seconds=0", "alerts.max_seconds: "),
    ],
)
def test_knob_is_refused_when_it_contradicts_another_or_its_range(
    override: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[override])
    assert problem in str(caught.value)
