"""One user's raw events -> the features of the snapshots, in plain Python.

What `churn_spark/events` and `churn_spark/features` do for all users with Spark, for one without
it: records become events (`records`), events the user's days (`days`), days the features, by the
formulas of their declarations (`features`, `past`), and pages in a row the behaviour model's
forecast (`visits`). A test compares all values with those of the tables.
"""
