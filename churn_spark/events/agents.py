"""User agents reduced to operating system and browser.

The strings themselves are long, nearly unique and personal; the two families are all that the
features use. The order of the rules matters: Chrome also says Safari, Edge also says Chrome.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.events.rules import BROWSER_RULES, OS_RULES, OTHER


def os_of(agent: Column) -> Column:
    """Operating system of a user agent: null where there is none, `other` where unknown."""
    return _first_match(agent, OS_RULES)


def browser_of(agent: Column) -> Column:
    """Browser of a user agent: null where there is none, `other` where unknown."""
    return _first_match(agent, BROWSER_RULES)


def _first_match(agent: Column, rules: tuple[tuple[str, str], ...]) -> Column:
    family = F.when(F.trim(F.coalesce(agent, F.lit(""))) == "", F.lit(None).cast("string"))
    for mark, name in rules:
        family = family.when(agent.contains(mark), name)
    return family.otherwise(OTHER)
