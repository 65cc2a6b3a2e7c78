"""Notices as a webhook takes them: plain JSON, a Slack message, a Microsoft Teams card.

Slack's incoming webhooks take Block Kit: a header of 150 characters, sections of 3,000, 50 blocks,
and refuse messages whose blocks have more than some 13,000 together. A Teams workflow ("when a
webhook request is received") takes Adaptive Cards, and messages of 28 KB. What doesn't fit is
counted in the last line. Names of columns and files come from outside, so no text is read as
markup: Slack's three marks are escaped, and a rich text block of a card knows none.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal

from churn_spark.monitoring.alerts.alerts import Notice, severity_order
from churn_spark.wording import count_of

Format = Literal["plain", "slack", "teams"]
_MOST: Final = 20
_SENTENCE: Final = 500
_TITLE: Final = 150
_SLACK_BYTES: Final = 12_000
_TEAMS_BYTES: Final = 24_000
_CARD: Final = "application/vnd.microsoft.card.adaptive"
_COLOURS: Final = {"critical": "Attention", "warning": "Warning"}

Build = Callable[[str, Sequence[Notice], str], Mapping[str, Any]]
"""Takes the title, the notices and what is said of the others; gives the message."""


def describe(notice: Notice) -> str:
    """The notice as one line."""
    return f"{_headline(notice)}: {notice.alert.sentence}"


def title_of(notices: Sequence[Notice]) -> str:
    """How many alerts there are, and the worst: `churn_spark: 2 alerts, critical: data:volume`.

    Those that are over are told apart: `churn_spark: 1 alert resolved: data:volume`.
    """
    worst = _worst_first(notices)[0].alert
    n_resolved = sum(notice.change == "resolved" for notice in notices)
    if n_resolved == len(notices):
        return f"churn_spark: {count_of(n_resolved, 'alert')} resolved: {worst.key}"
    n_open = count_of(len(notices) - n_resolved, "alert")
    others = f"; {n_resolved:,} resolved" if n_resolved else ""
    return f"churn_spark: {n_open}, {worst.severity}: {worst.key}{others}"


def write_payload(notices: Sequence[Notice], shape: Format) -> bytes:
    """The body of the request, as JSON.

    Args:
        notices: at least one.
        shape: that the receiver takes.
    """
    if shape == "slack":
        return _write_fitting(notices, _build_slack, _SLACK_BYTES)
    if shape == "teams":
        return _write_fitting(notices, _build_teams, _TEAMS_BYTES)
    text = "\n".join(map(describe, notices))
    return _encode({"text": text, "notices": [asdict(notice) for notice in notices]})


def _write_fitting(notices: Sequence[Notice], build: Build, most_bytes: int) -> bytes:
    """The message with as many notices as it may have, the worst first; at least with one."""
    ordered, title = _worst_first(notices), _cut(title_of(notices), _TITLE)
    for n in range(min(len(ordered), _MOST), 0, -1):
        n_others = len(ordered) - n
        others = f"and {n_others:,} more, in the table monitoring/alerts" if n_others else ""
        body = _encode(build(title, ordered[:n], others))
        if len(body) <= most_bytes:
            break
    return body


def _build_slack(title: str, notices: Sequence[Notice], others: str) -> Mapping[str, Any]:
    def section(text: str) -> dict[str, Any]:
        # Verbatim: no name in it becomes a link or a channel.
        return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}

    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    ]
    for notice in notices:
        headline, sentence = _escape(_headline(notice)), _escape(_sentence(notice))
        blocks.append(section(f"*{headline}*\n{sentence}"))
    blocks += [section(others)] if others else []
    # What a notification shows, and a reader of the screen says.
    return {"text": _escape(title), "blocks": blocks}


def _build_teams(title: str, notices: Sequence[Notice], others: str) -> Mapping[str, Any]:
    def line(*runs: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}

    body = [line({"text": title, "size": "Large", "weight": "Bolder"})]
    for notice in notices:
        colour = _COLOURS.get(notice.alert.severity, "Default")
        headline = {"text": _headline(notice), "weight": "Bolder", "color": colour}
        body += [{**line(headline), "separator": True}, line({"text": _sentence(notice)})]
    body += [line({"text": others, "isSubtle": True})] if others else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": title,
        "body": body,
    }
    attachment = {"contentType": _CARD, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _headline(notice: Notice) -> str:
    alert = notice.alert
    return f"{alert.severity} alert {notice.change}, since {alert.opened}: {alert.key}"


def _sentence(notice: Notice) -> str:
    return _cut(notice.alert.sentence, _SENTENCE)


def _cut(text: str, most: int) -> str:
    """The text in one line, with an ellipsis where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _escape(text: str) -> str:
    """What Slack reads as markup, as it writes it: & < and > alone."""
    return html.escape(text, quote=False)


def _worst_first(notices: Sequence[Notice]) -> list[Notice]:
    """What goes on before what is over, the most severe of each first."""
    return sorted(
        notices,
        key=lambda notice: (notice.change == "resolved", severity_order(notice.alert.severity)),
    )


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, default=str, sort_keys=True).encode()
