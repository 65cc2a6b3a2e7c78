"""What a model is, what it was trained and judged on, what it is for: the model card."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from pydantic import Field, ValidationError

from churn_spark.churn_words import meaning
from churn_spark.config import Section as Strict
from churn_spark.errors import InputError
from churn_spark.reports.page import Facts, Heading, Section
from churn_spark.reports.words import dates_in_words, percent
from churn_spark.wording import count_of

INTENDED_USE = (
    "Rank subscribers by their risk, so that a retention team with limited time starts with those "
    "who are most likely to cancel, and give each of them reasons to talk about.",
    "Not for decisions that shut a user out or change a price, and not for judging one person: a "
    "high risk is still mostly wrong about a single user.",
)
LIMITS = (
    "The model predicts who cancels, not whom an offer keeps. What an offer changes can only be "
    "measured by leaving some users at random without one.",
    "A reason is what the model leaned on, not a cause.",
    "The figures describe the dates and users below. A new product, price or audience makes them "
    "void; the monitoring tables say when inputs have drifted.",
)


class Leaving(Strict):
    """What the models of how users leave have learnt.

    Attributes:
        slopes: feature that is a probability -> what its log-odds are multiplied by where the
            trees start; those that were left out are missing.
        fading_days: for which interest fades, on average.
        slowing: pauses while fading over those before.
        fading_share: of the users who fade at a time.
    """

    slopes: dict[str, float]
    fading_days: float = Field(gt=0)
    slowing: float = Field(ge=1)
    fading_share: float = Field(ge=0, le=1)


class ModelCard(Strict):
    """The facts behind an evaluation, checked as they are read.

    Attributes:
        run_id: of the backtest.
        model_version: in the registry, or what stands for it.
        kind: `lifetime` labels describe the past: every figure is then retrospective.
        headline_cell: the cell whose figures come first.
        train_dates: as-of dates the model was fitted on; calibration and test dates likewise.
        horizon_days: length of the window in which a cancellation counts.
        gap_days: between the as-of date and the window.
        population: who is predicted, in words.
        base_rate: share of cancellations among the training rows.
        n_train_users: users in the fit.
        n_test_users: users in no fit.
        feature_sets: names.
        fingerprint: of the feature definitions.
        engine: what fitted the trees.
        parameters: of the model.
        calibration: how margins become probabilities, and why so.
        threshold: from this probability upwards a user is flagged.
        threshold_reason: how it was chosen, and on which rows.
        n_gap_cancels: rows of these dates left out because their users cancel in the gap; none
            in the cards of older releases.
        is_weighted: whether rows don't count once each in the figures, since contacts may have
            changed outcomes.
        is_simulated: whether the log comes from a simulator.
        leaving: how users leave; none without the set `fading`, and in older cards.
        intended_use: paragraphs.
        limits: paragraphs.
    """

    run_id: str
    model_version: str
    kind: Literal["horizon", "lifetime"] = "horizon"
    headline_cell: Literal["new users", "future", "both", "test"] = "both"
    train_dates: tuple[date, ...] = Field(min_length=1)
    calibration_dates: tuple[date, ...] = ()
    test_dates: tuple[date, ...] = Field(min_length=1)
    horizon_days: int
    gap_days: int
    population: str
    base_rate: float = Field(ge=0, le=1)
    n_train_users: int
    n_test_users: int
    feature_sets: tuple[str, ...]
    fingerprint: str
    engine: str
    parameters: dict[str, str | int | float | bool]
    calibration: str
    threshold: float = Field(ge=0, le=1)
    threshold_reason: str
    n_gap_cancels: int | None = None
    is_weighted: bool = False
    is_simulated: bool = False
    leaving: Leaving | None = None
    intended_use: tuple[str, ...] = INTENDED_USE
    limits: tuple[str, ...] = LIMITS

    @staticmethod
    def from_json(text: str) -> ModelCard:
        """The card of a JSON text.

        Raises:
            InputError: if keys or values don't fit; all of them are listed.
        """
        try:
            return ModelCard.model_validate_json(text)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise InputError(
                f"found a model card that doesn't fit ({problems}), expected the fields of "
                "ModelCard: run the backtest again"
            ) from error


def card_section(card: ModelCard) -> Section:
    """The card as the last section of a report."""
    window = (
        "ever, up to the end of the log (retrospective)"
        if card.kind == "lifetime"
        else f"within {count_of(card.horizon_days, 'day')}, counted from "
        f"{count_of(card.gap_days, 'day')} after the as-of date"
    )
    data = (
        ("Predicts", f"whether a user cancels {window}" + (f"; {meaning()}" if meaning() else "")),
        ("Population", card.population),
        ("Trained as of", dates_in_words(card.train_dates)),
        ("Calibrated as of", dates_in_words(card.calibration_dates) or "on the training dates"),
        ("Tested as of", dates_in_words(card.test_dates)),
        ("Users", f"{card.n_train_users:,} for training; {card.n_test_users:,} only for testing"),
        ("Base rate", f"{percent(card.base_rate, 1)} of the training rows cancel"),
        *_left_out(card),
        ("Log", "simulated" if card.is_simulated else "as delivered by the service"),
    )
    model = (
        ("Model version", card.model_version),
        ("Engine", card.engine),
        ("Feature sets", ", ".join(card.feature_sets)),
        ("Fingerprint of features", card.fingerprint),
        ("Parameters", ", ".join(f"{name} {value}" for name, value in card.parameters.items())),
        ("Calibration", card.calibration),
        ("Threshold", f"{card.threshold:.4g}: {card.threshold_reason}"),
        ("Run", card.run_id),
    )
    return Section(
        "card",
        "Model card",
        "What was predicted, from what, with which settings, and what it may be used for.",
        (
            Heading("Data"),
            Facts(data),
            Heading("Model"),
            Facts(model),
            Heading("Intended use and limits"),
            Facts(
                (
                    *(("Use", text) for text in card.intended_use),
                    *(("Limit", text) for text in card.limits),
                )
            ),
        ),
    )


def _left_out(card: ModelCard) -> Iterator[tuple[str, str]]:
    if card.n_gap_cancels is not None:
        rows = count_of(card.n_gap_cancels, "row")
        text = f"{rows} whose users cancel between the as-of date and the prediction window"
        yield "Left out", text
