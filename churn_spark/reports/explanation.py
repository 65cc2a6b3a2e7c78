"""Why scores are what they are: features by importance, and the head of a list."""

from __future__ import annotations

from churn_spark.evaluation.mistakes import reason_texts
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.page import Block, Cell, Picture, Section, Table
from churn_spark.reports.pictures import draw_bars
from churn_spark.reports.words import percent
from churn_spark.wording import count_of

_N_DRAWN, _N_LISTED, _N_USERS = 12, 25, 8
_LETTERS = "NOPQRSTUVWXYZ"


def importance_section(data: EvaluationData) -> Section:
    """The features that move scores most, and how stable their order is."""
    ordered = data.importance.sort_values(
        ["share", "feature"], ascending=[False, True], ignore_index=True
    )
    if ordered.empty:
        return Section("importance", "Which features matter", "No importance was measured.", ())
    top, drawn = ordered.head(_N_LISTED), ordered.head(_N_DRAWN)
    blocks: tuple[Block, ...] = (
        Picture(
            draw_bars(
                drawn["meaning"].tolist(),
                drawn["share"].tolist(),
                [
                    _ranks(low, high)
                    for low, high in zip(drawn["rank_low"], drawn["rank_high"], strict=True)
                ],
            ),
            f"Share of all contributions of the {len(drawn)} most important features.",
            "Share of all contributions to the scores (mean absolute SHAP value), with the range "
            "of its ranks in groups of the users. A wide range means that the order is uncertain.",
        ),
        Table(
            f"The {len(top)} most important of {count_of(len(ordered), 'feature')}",
            ("Feature", "Unit", "Share", "Rank", "Mean contribution, log-odds", "Share of gain"),
            tuple(
                (
                    Cell(row["meaning"], row["feature"]),
                    Cell(row["unit"] or "category"),
                    Cell(percent(row["share"], 1), tone="number"),
                    Cell(str(place), _ranks(row["rank_low"], row["rank_high"]), "number"),
                    Cell(f"{row['mean_abs_shap']:.3f}", tone="number"),
                    Cell(percent(row["gain"], 1), tone="number"),
                )
                for place, row in enumerate(top.to_dict("records"), start=1)
            ),
        ),
    )
    share = float(ordered["share"].head(3).sum())
    return Section(
        "importance",
        "Which features matter",
        f"The three most important features carry {percent(share)} of all contributions. A "
        "contribution says what the prediction rests on; it is not a cause.",
        blocks,
    )


def list_section(data: EvaluationData) -> Section:
    """The head of a list as a retention team sees it, letters for users."""
    rows = data.primary_rows
    if rows.empty:
        return Section("list", "A look at the list", "There are no rows to list.", ())
    newest = rows[rows["as_of"] == rows["as_of"].max()]
    head = newest.sort_values(["churn_probability", "user_id"], ascending=[False, True]).head(
        _N_USERS
    )
    base_rate = float(newest["churn_probability"].mean())
    table = Table(
        f"The first {len(head)} of {count_of(len(newest), 'user')} on the newest test date",
        ("User", "Probability", "Times the average", "Reasons", "What happened"),
        tuple(
            (
                Cell(letter),
                Cell(percent(row["churn_probability"], 1), tone="number"),
                Cell(f"{row['churn_probability'] / base_rate:.1f}×", tone="number"),
                Cell("; ".join(reason_texts(row["reasons"])) or "none kept"),
                Cell("cancelled" if row["label"] else "stayed"),
            )
            for letter, row in zip(_LETTERS, head.to_dict("records"), strict=False)
        ),
        note="Letters stand for users; they are not those of the examples above.",
    )
    cancelled, expected = int(head["label"].sum()), float(head["churn_probability"].sum())
    return Section(
        "list",
        "A look at the list",
        f"Of the {count_of(len(head), 'user')} on top the model expected {expected:.1f} to cancel; "
        f"{cancelled} did. So few users prove nothing; they show what a list looks like. In "
        "brackets: the count expected of an average user over the same time or number of page "
        "views, or the median of the training users.",
        (table,),
    )


def _ranks(low: float, high: float) -> str:
    return f"rank {low:.0f}" if low == high else f"rank {low:.0f} to {high:.0f}"
