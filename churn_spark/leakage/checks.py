"""All leak checks on one table."""

from __future__ import annotations

from churn_spark.config import LeakageConfig
from churn_spark.leakage.changed_future import check_rebuilt
from churn_spark.leakage.fitted_on_test import check_fitted
from churn_spark.leakage.identities import check_identities
from churn_spark.leakage.model_checks import check_ceiling, check_shuffled
from churn_spark.leakage.order import check_order
from churn_spark.leakage.own_clock import check_anchors
from churn_spark.leakage.population import (
    check_cancellations,
    check_population,
    check_silence,
)
from churn_spark.leakage.shift import check_shift
from churn_spark.leakage.single_features import check_strength
from churn_spark.leakage.stored import check_stored
from churn_spark.leakage.table import FeatureTable, Finding
from churn_spark.leakage.train_test import check_sides

_BY_TABLE = (
    check_population,
    check_cancellations,
    check_silence,
    check_sides,
    check_stored,
    check_rebuilt,
    check_anchors,
    check_fitted,
)
_BY_LIMITS = (
    check_strength,
    check_identities,
    check_order,
    check_ceiling,
    check_shuffled,
    check_shift,
)


def find_leaks(table: FeatureTable, limits: LeakageConfig) -> list[Finding]:
    """Everything in the table that a forecast made on its dates could not have known.

    Checks that need what the table lacks (rebuilds, spans, test rows) find nothing. Those
    that measure with a statistical error allow for `limits.z` standard errors; the others are
    exact.
    """
    exact = [finding for check in _BY_TABLE for finding in check(table)]
    return exact + [finding for check in _BY_LIMITS for finding in check(table, limits)]
