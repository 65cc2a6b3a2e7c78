"""What the service counts of itself, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Figures:
    """Counters of one service; labels are bounded sets, never what a caller sent."""

    def __init__(self) -> None:
        """A registry of its own, so that several services may live in one process."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "churn_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "churn_request_seconds",
            "Time from the request's head to the end of its answer",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rows = Counter(
            "churn_predicted_rows", "Rows that got a probability", registry=registry
        )
        self.failed_rows = Counter(
            "churn_failed_rows", "Rows of batches that got none", registry=registry
        )
        self.champion = Gauge(
            "churn_champion", "1 for the model version that answers", ["version"], registry=registry
        )
        self.is_ready = Gauge("churn_ready", "1 if every check of /ready holds", registry=registry)
        self.is_behind = Gauge(
            "churn_champion_behind",
            "1 while another model answers than the published champion",
            registry=registry,
        )
        self.scores_age = Gauge(
            "churn_scores_age_seconds",
            "Since the date of the newest scores began, UTC",
            registry=registry,
        )
        self.newest_night = Gauge(
            "churn_newest_night_timestamp_seconds",
            "Date of the newest finished night, 00:00 UTC; 0: none is known",
            registry=registry,
        )
        self.expected_night = Gauge(
            "churn_expected_night_timestamp_seconds",
            "Date of the night that has to be finished by now, 00:00 UTC; 0: none is expected",
            registry=registry,
        )
        self.night_late = Gauge(
            "churn_night_late_seconds",
            "Since the first missing night had to be finished; 0: none is missing, or expected",
            registry=registry,
        )

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
