"""The feature set `activity`: how much, how regularly and in which direction a user moves."""

from churn_spark.contracts.features.activity.amounts import AMOUNTS
from churn_spark.contracts.features.activity.level import LEVEL
from churn_spark.contracts.features.activity.movement import MOVEMENT
from churn_spark.contracts.features.activity.pages import HAZARDS, TASTES
from churn_spark.contracts.features.activity.rhythm import RHYTHM
from churn_spark.contracts.features.feature import LogFeature

ACTIVITY_FEATURES: tuple[LogFeature, ...] = (
    *AMOUNTS, *RHYTHM, *HAZARDS, *TASTES, *LEVEL, *MOVEMENT
)  # fmt: skip
