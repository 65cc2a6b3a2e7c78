"""A study that is killed, resumed and extended tries what it would have tried anyway."""

from __future__ import annotations

import math
import time
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState

from churn_spark.config import Config, load_config
from churn_spark.errors import ConfigError
from churn_spark.models.search.search import (
    candidates_of,
    finish,
    importances,
    is_hopeless,
    n_finished,
    open_study,
    search_space,
    trials_left,
)
from churn_spark.models.search.studies import storage_url
from churn_spark.models.search.tuning import TrialResult

LATER = math.inf


def config_of(*overrides: str) -> Config:
    return load_config(overrides=overrides)


CONFIG = config_of("tuning.n_trials=12")
PRESENT = {name: getattr(CONFIG.lightgbm, name) for name in CONFIG.tuning.ranges}
SPACE = search_space(CONFIG.tuning, CONFIG.lightgbm)


class Killed(BaseException):
    """Ends the process in the middle of a trial."""


def loss_of(trial: optuna.Trial) -> TrialResult:
    """The present parameters lose least but for their learning rate."""
    far = abs(math.log(trial.params["learning_rate"] / 0.12)) + 0.001 * trial.params["num_leaves"]
    return TrialResult(20, far, 0.7, (far, far))


def run_study(folder: Path, n_trials: int = 12, killed_in: int | None = None) -> optuna.Study:
    config = config_of(f"tuning.n_trials={n_trials}").tuning
    study = open_study(f"sqlite:///{folder}/optuna.db", "planted", PRESENT)
    for place, trial in enumerate(trials_left(study, SPACE, config, LATER)):
        if place == killed_in:
            raise Killed
        found = loss_of(trial)
        finish(study, trial, None if is_hopeless(trial, found.loss, 0) else found)
    return study


def tried(study: optuna.Study) -> list[tuple[dict[str, float], TrialState]]:
    done = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    return [(trial.params, trial.state) for trial in done]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> optuna.Study:
    """A study that nothing disturbed."""
    return run_study(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("killed_in", [0, 11])
def test_killed_study_goes_on_as_if_nothing_had_been(
    killed_in: int, whole: optuna.Study, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run_study(tmp_path, killed_in=killed_in)
    resumed = run_study(tmp_path)
    assert tried(resumed) == tried(whole)
    assert [trial.state for trial in resumed.trials].count(TrialState.FAIL) == 1


def test_extended_study_draws_nothing_twice(whole: optuna.Study, tmp_path: Path) -> None:
    run_study(tmp_path, n_trials=6)
    extended = run_study(tmp_path)
    assert tried(extended) == tried(whole)
    assert len({str(parameters) for parameters, _ in tried(extended)}) == 12


def test_present_parameters_are_the_first_trial_and_never_pruned(whole: optuna.Study) -> None:
    present = [candidate for candidate in candidates_of(whole) if candidate.is_present]
    assert [(c.number, c.parameters) for c in present] == [(0, PRESENT)]


def test_trials_worse_than_the_median_are_given_up(whole: optuna.Study) -> None:
    states = [state for _, state in tried(whole)]
    assert 0 < states.count(TrialState.PRUNED) < 8
    assert n_finished(whole) == 12


def test_candidates_keep_their_results_the_least_loss_first(whole: optuna.Study) -> None:
    results = [candidate.result for candidate in candidates_of(whole)]
    assert [found.loss for found in results] == sorted(found.loss for found in results)
    assert all(found.group_losses == (found.loss, found.loss) for found in results)


def test_what_matters_is_what_was_planted(whole: optuna.Study) -> None:
    shares = importances(whole, seed=7)
    assert max(shares, key=lambda name: shares[name]) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(1)


def test_nothing_matters_when_trials_are_too_few(tmp_path: Path) -> None:
    assert importances(run_study(tmp_path, n_trials=3), seed=7) == {}


def test_no_trial_begins_when_the_time_is_over(tmp_path: Path) -> None:
    study = open_study(f"sqlite:///{tmp_path}/optuna.db", "planted", PRESENT)
    assert list(trials_left(study, SPACE, CONFIG.tuning, time.monotonic() - 1)) == []


def test_range_is_widened_to_hold_the_present_value() -> None:
    config = config_of("lightgbm.num_leaves=63", "lightgbm.lambda_l2=0", "lightgbm.cat_smooth=5")
    space = search_space(config.tuning, config.lightgbm)
    assert space["num_leaves"] == IntDistribution(3, 63, log=True)
    assert space["lambda_l2"] == FloatDistribution(0, 500)
    assert space["cat_smooth"] == FloatDistribution(5, 1000, log=True)


def test_trials_are_kept_in_the_lakehouse_or_where_the_configuration_says(tmp_path: Path) -> None:
    assert storage_url(CONFIG.tuning, str(tmp_path)) == f"sqlite:///{tmp_path}/mlflow/optuna.db"
    named = config_of("tuning.storage=sqlite:///elsewhere.db").tuning
    assert storage_url(named, "s3a://bucket") == "sqlite:///elsewhere.db"
    with pytest.raises(ConfigError, match="set it"):
        storage_url(CONFIG.tuning, "s3a://bucket/lakehouse")
