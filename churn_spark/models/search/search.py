"""The search for parameters: an Optuna study that can be resumed, and its results."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from churn_spark.config import LightGBMConfig, TuningConfig
from churn_spark.models.search.tuning import Candidate, TrialResult

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
Space = Mapping[str, FloatDistribution | IntDistribution]
_PRESENT, _RESULT = "is_present", "result"
_MIN_FOR_IMPORTANCE = 4


def search_space(config: TuningConfig, present: LightGBMConfig) -> Space:
    """The range of every parameter, widened where the present value lies outside.

    Searched on a logarithmic scale, but for a range that begins at 0.
    """
    space: dict[str, FloatDistribution | IntDistribution] = {}
    for name, (least, most) in config.ranges.items():
        value = getattr(present, name)
        low, high = min(least, value), max(most, value)
        if isinstance(value, int):
            space[name] = IntDistribution(int(low), int(high), log=low > 0)
        else:
            space[name] = FloatDistribution(low, high, log=low > 0)
    return space


def open_study(url: str, name: str, present: Mapping[str, float]) -> optuna.Study:
    """The study of that name, new or as it was left; the present parameters come first.

    A trial that was running when its process ended is marked as failed; the next one has its
    parameters, see `trials_left`. One process at a time may work on a study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner()
    study = optuna.create_study(storage=url, study_name=name, pruner=pruner, load_if_exists=True)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    alive = study.get_trials(states=(TrialState.COMPLETE, TrialState.WAITING))
    if not any(trial.user_attrs.get(_PRESENT) for trial in alive):
        study.enqueue_trial(dict(present), user_attrs={_PRESENT: True})
    return study


def trials_left(
    study: optuna.Study, space: Space, config: TuningConfig, deadline: float
) -> Iterator[optuna.Trial]:
    """Trials to run, one after the other, until there are enough or the time is over.

    What is drawn depends on the seed and the finished trials alone, so a study that is
    interrupted and resumed tries what it would have tried anyway.

    Args:
        study: keeps the trials.
        space: to draw from.
        config: how many trials.
        deadline: no trial begins after it, on `time.monotonic`'s clock.
    """
    while (done := n_finished(study)) < config.n_trials and time.monotonic() < deadline:
        study.sampler = optuna.samplers.TPESampler(seed=config.seed + done)
        yield study.ask(dict(space))


def n_finished(study: optuna.Study) -> int:
    """Trials that ended, pruned ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def is_hopeless(trial: optuna.Trial, loss: float, step: int) -> bool:
    """Whether the trial is worse after this fold than the median was; never the present one."""
    trial.report(loss, step)
    return not trial.user_attrs.get(_PRESENT) and trial.should_prune()


def finish(study: optuna.Study, trial: optuna.Trial, result: TrialResult | None) -> None:
    """Keep what a trial found; nothing where it was pruned."""
    if result is None:
        study.tell(trial, state=TrialState.PRUNED)
        return
    # Sums over groups of users: nothing of a user is in the store.
    trial.set_user_attr(_RESULT, asdict(result))
    study.tell(trial, result.loss)


def candidates_of(study: optuna.Study) -> list[Candidate]:
    """The completed trials, the least loss first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(map(_candidate, complete), key=lambda c: (c.result.loss, c.number))


def importances(study: optuna.Study, seed: int) -> dict[str, float]:
    """Share of the loss's variance that each parameter explains, the largest first.

    Empty where too few trials are complete. Source: Hutter, Hoos and Leyton-Brown (2014), "An
    efficient approach for assessing hyperparameter importance".
    """
    candidates = candidates_of(study)
    if len(candidates) < _MIN_FOR_IMPORTANCE or len({c.result.loss for c in candidates}) < 2:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))


def _candidate(trial: FrozenTrial) -> Candidate:
    kept = trial.user_attrs[_RESULT]
    result = TrialResult(**kept | {"group_losses": tuple(kept["group_losses"])})
    return Candidate(trial.number, trial.params, bool(trial.user_attrs.get(_PRESENT)), result)
