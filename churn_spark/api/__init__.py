"""What notebooks and scripts call, by `from churn_spark import Lakehouse`: it only reads."""
