"""One user's raw events -> the features of the snapshots, in plain Python.

The same definitions as in `churn_spark/events` and `churn_spark/features`, read a second time
without Spark: records become events (`records`), events the user's days (`days`), days features
by their declarations (`features`), pages in a row the behaviour model's forecast (`visits`). A
test holds both readings to the same values.
"""
