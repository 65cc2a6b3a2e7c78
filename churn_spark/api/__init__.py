"""What notebooks and scripts call: `from churn_spark import Lakehouse`. It reads and never writes."""
