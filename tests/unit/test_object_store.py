"""One set of settings of an S3 store: what Python's libraries read, Hadoop is told, and back."""

from __future__ import annotations

import pytest

from churn_spark.runtime.object_store import adopt_settings, hadoop_settings, needs_s3a

S3A = "spark.hadoop.fs.s3a."


@pytest.mark.parametrize(
    ("endpoint", "encrypted"),
    [("http://127.0.0.1:9000", "false"), ("https://minio.example", "true")],
)
def test_hadoop_is_told_where_the_store_is_and_no_key(endpoint: str, encrypted: str) -> None:
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_SESSION_TOKEN": "hidden",
    }
    assert hadoop_settings(environment) == {
        f"{S3A}endpoint": endpoint,
        f"{S3A}endpoint.region": "eu-west-1",
        f"{S3A}path.style.access": "true",
        f"{S3A}connection.ssl.enabled": encrypted,
    }


def test_store_of_aws_itself_needs_no_settings() -> None:
    assert hadoop_settings({}) == {}
    assert hadoop_settings({"AWS_REGION": "eu-west-1"}) == {f"{S3A}endpoint.region": "eu-west-1"}


def test_buckets_that_are_hosts_are_so_for_both() -> None:
    told = hadoop_settings(
        {"AWS_ENDPOINT_URL": "https://x", "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true"}
    )
    assert told[f"{S3A}path.style.access"] == "false"


def test_what_only_hadoop_knows_is_told_to_python() -> None:
    hadoop = {
        "fs.s3a.endpoint": "minio:9000",
        "fs.s3a.access.key": "id",
        "fs.s3a.secret.key": "secret",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3a.path.style.access": "true",
    }
    environment = {"HOME": "/root"}
    adopt_settings(hadoop.get, environment)
    assert environment == {
        "HOME": "/root",
        "AWS_ENDPOINT_URL": "http://minio:9000",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }


def test_environment_comes_first() -> None:
    environment = {"AWS_ENDPOINT_URL": "https://one", "AWS_ACCESS_KEY_ID": "one"}
    before = dict(environment)
    adopt_settings({"fs.s3a.endpoint": "two", "fs.s3a.secret.key": "two"}.get, environment)
    assert environment == before


def test_nothing_is_made_up() -> None:
    environment: dict[str, str] = {}
    adopt_settings({"fs.s3a.connection.ssl.enabled": "true"}.get, environment)
    assert environment == {}


@pytest.mark.parametrize(
    ("places", "needed"),
    [
        ((), False),
        ((None, "/lake", "hdfs://name/lake"), False),
        (("/lake", "s3a://logs"), True),
        (("--set", "lakehouse=s3a://b/lake"), True),
    ],
)
def test_s3a_is_known_by_a_place_that_is_named(
    places: tuple[str | None, ...], needed: bool
) -> None:
    assert needs_s3a(*places) == needed
