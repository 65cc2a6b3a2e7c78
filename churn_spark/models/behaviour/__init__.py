"""The behaviour model: what kind of listener a user is, how often they come, how they leave.

A mixture of Markov chains over pages (`mixture`), the outcome of a session that follows from it
(`outcomes`), the rate of visits (`visits`), and the chance to cancel that all of it amounts to
(`forecast`). It learns from the transitions between pages before a date, without labels.
"""
