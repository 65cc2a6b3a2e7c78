"""Leaks in a table of features and labels: what no forecast could have known, found by itself.

    table -> population, sides, rebuilt, anchors, strength, identities, fitted, shift, order, models

`find_leaks` asks every check; each returns findings that name the column and say what is wrong.
"""
