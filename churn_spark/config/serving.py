"""Section of the service."""

from __future__ import annotations

from pydantic import Field

from churn_spark.config.section import Section


class ServingConfig(Section):
    """Where the service listens, whom it answers, and its limits."""

    host: str
    port: int = Field(ge=0, le=65535)
    root_path: str = Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    keys_file: str
    require_key: bool
    allowed_hosts: tuple[str, ...]
    poll_seconds: float = Field(gt=0)
    max_body_bytes: int = Field(ge=1024)
    max_bodies_bytes: int = Field(ge=1024)
    max_row_bytes: int = Field(ge=1024)
    max_unfolded_bytes: int = Field(ge=1024)
    max_rows: int = Field(ge=1)
    max_events: int = Field(ge=1)
    max_seconds: float = Field(gt=0)
    requests_per_second: float = Field(gt=0)
    burst: int = Field(ge=1)
    wrong_keys_per_minute: int = Field(ge=1)
    max_connections: int = Field(ge=1)
    max_peer_connections: int = Field(ge=1)
    head_seconds: float = Field(gt=0)
    max_scores_age_hours: float = Field(gt=0)
    rows_per_page: int = Field(ge=1, le=1000)
    sign_in_hours: float = Field(gt=0)
