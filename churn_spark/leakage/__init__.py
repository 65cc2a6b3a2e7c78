"""Leaks in a table of features and labels: what no forecast could have known.

    table -> population, train_test, changed_future, own_clock, fitted_on_test,
             single_features, identities, order, model_checks, shift

`find_leaks` asks every check; each returns findings that name the column and say what is wrong.
"""
