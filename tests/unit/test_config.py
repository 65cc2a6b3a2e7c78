"""The configuration: who overrides whom, and that every mistake is named at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from churn_spark.config import Config, conf_folder, load_config
from churn_spark.errors import ConfigError
from churn_spark.timeline import Horizon


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKEHOUSE", raising=False)
    monkeypatch.delenv("CHURN_CONF_DIR", raising=False)


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own with a copy of `base.yaml` and an empty `local.yaml`."""
    base = (conf_folder() / "base.yaml").read_bytes()
    (tmp_path / "base.yaml").write_bytes(base)
    (tmp_path / "local.yaml").write_text("")
    monkeypatch.setenv("CHURN_CONF_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("env", ["local", "cluster"])
def test_shipped_configuration_fits_in_each_environment(env: str) -> None:
    assert load_config(env).lakehouse == "./lakehouse"


def test_headline_horizon_is_fourteen_days_after_a_gap_of_one() -> None:
    assert load_config().labels.horizon == Horizon(days=14, gap_days=1)


def test_environment_file_holds_differences_only(conf: Path) -> None:
    (conf / "local.yaml").write_text("spark:\n  shuffle_partitions: 9\n")
    changed, base = load_config().spark, yaml.safe_load((conf / "base.yaml").read_text())["spark"]
    assert changed.model_dump() == {**base, "shuffle_partitions": 9}


def test_later_sources_win_when_all_name_the_lakehouse(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (conf / "local.yaml").write_text("lakehouse: from-file\n")
    assert load_config().lakehouse == "from-file"
    monkeypatch.setenv("LAKEHOUSE", "from-environment")
    assert load_config().lakehouse == "from-environment"
    assert load_config(overrides=["lakehouse=from-set"]).lakehouse == "from-set"


def test_lakehouse_variable_counts_for_nothing_when_it_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAKEHOUSE", "")
    assert load_config().lakehouse == "./lakehouse"


@pytest.mark.parametrize(
    "override",
    [
        "spark.driver_memory=lots",
        "spark.driver_memory=0g",
        "spark.max_partition_bytes=64 apples",
        "spark.master=locl[2]",
        "lakehouse=''",
        "lakehouse=' '",
        "lakehouse=/data/run-12:30",
        "lakehouse=hdfs://name:8020/run-12:30",
        "lakehouse='12:30'",
        "ingest.events=''",
        "ingest.min_age_minutes=-1",
    ],
)
def test_value_that_would_fail_later_is_refused_at_once(override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        load_config(overrides=[override])


@pytest.mark.parametrize("place", ["file:///data/lake", "file:/data/lake", "/data/lake"])
def test_lakehouse_on_the_local_disk_is_its_path(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE", place)
    assert load_config().lakehouse == "/data/lake"
    assert load_config(overrides=["lakehouse=s3a://b/lake"]).lakehouse == "s3a://b/lake"


@pytest.mark.parametrize(
    ("place", "known"),
    [
        ("s3a://b/lake//", "s3a://b/lake"),
        ("hdfs://name:8020/lake/", "hdfs://name:8020/lake"),
        ("hdfs:///", "hdfs:///"),
        ("hdfs:/lake", "hdfs:/lake"),
        ("/", "/"),
        ("./l/", "./l"),
    ],
)
def test_slashes_at_the_end_of_the_lakehouse_mean_nothing(place: str, known: str) -> None:
    assert load_config(overrides=[f"lakehouse={place}"]).lakehouse == known


def test_file_that_may_not_be_read_is_named(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigError, match=r"base\.yaml can't be read: Permission denied"):
        load_config()


def test_last_override_wins_when_one_key_is_set_twice() -> None:
    assert load_config(overrides=["training.seed=1", "training.seed=2"]).training.seed == 2


@pytest.mark.parametrize(
    ("override", "section", "key", "expected"),
    [
        ("training.use_gender=true", "training", "use_gender", True),
        ("lightgbm.learning_rate=0.1", "lightgbm", "learning_rate", 0.1),
        ("ingest.anonymous_user_ids=['1', '2']", "ingest", "anonymous_user_ids", ("1", "2")),
        ("registry.tracking_uri=http://h:5000/?a=b", "registry", "tracking_uri", None),
        ('registry.tracking_uri=""', "registry", "tracking_uri", ""),
        ("spark.master=local[2]", "spark", "master", "local[2]"),
    ],
)
def test_override_is_read_as_yaml(override: str, section: str, key: str, expected: Any) -> None:
    found = getattr(getattr(load_config(overrides=[override]), section), key)
    assert found == (override.partition("=")[2] if expected is None else expected)


@pytest.mark.parametrize(
    "override",
    [
        "labels.horizon_days=yes",
        "retention_list.capacity=on",
        "lightgbm.learning_rate=true",
        "retention_list.value_by_level={paid: yes}",
        "tuning.lambda_l2=[on, 500.0]",
    ],
)
def test_number_that_yaml_takes_for_a_boolean_is_refused(override: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"{key}: expected a number"):
        load_config(overrides=[override])


def test_override_leaves_the_other_keys_of_its_section() -> None:
    changed = load_config(overrides=["labels.gap_days=0"]).labels
    assert changed.model_dump() == {
        "kind": "horizon",
        "churn": "cancel",
        "horizon_days": 14,
        "gap_days": 0,
        "grace_days": 0,
        "lateness_days": 0,
    }


@pytest.mark.parametrize(
    ("override", "shown"),
    [("training.seed", "training.seed"), ("=3", ""), ("training.seed: 3", "training.seed")],
)
def test_override_is_refused_when_it_has_no_key_and_value(override: str, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[override])
    text = f"found --set {shown!r} without a value, expected section.key=value"
    assert str(caught.value) == text


def test_override_is_refused_when_its_value_is_no_yaml() -> None:
    with pytest.raises(ConfigError, match=r"the value in --set 'training\.seed' is no valid"):
        load_config(overrides=["training.seed=[1"])


def test_all_problems_are_listed_when_several_keys_and_values_are_wrong(conf: Path) -> None:
    (conf / "local.yaml").write_text("labels: {kind: yearly}\ntrainnig: {seed: 1}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=["training.validation_share=1.5", "scoring.n_reason=2"])
    message = str(caught.value)
    assert "labels.kind: Input should be 'horizon' or 'lifetime' (found 'yearly')" in message
    assert "trainnig: no such key (did you mean training?)" in message
    assert "training.validation_share: Input should be less than 1 (found 1.5)" in message
    assert "scoring.n_reason: no such key (did you mean scoring.n_reasons?)" in message
    assert message.endswith("All keys are in conf/base.yaml")
    assert "\n" not in message


def test_unknown_key_that_is_like_no_other_is_only_named() -> None:
    with pytest.raises(
        ConfigError, match=r"invalid configuration: policy\.xyz: no such key\. All keys"
    ):
        load_config(overrides=["policy.xyz=1"])


def test_section_that_is_a_value_is_told_what_it_should_be() -> None:
    with pytest.raises(ConfigError, match=r"list: expected a section of keys \(found 3\)"):
        load_config(overrides=["retention_list=3"])


def test_section_that_does_not_fit_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_WEBHOOK_URL", "https://hooks.example/a-secret")
    with pytest.raises(ConfigError, match=r"invalid configuration: alerts: ") as caught:
        load_config(overrides=["alerts.smtp_host=mail.example"])
    assert "a-secret" not in str(caught.value)
    assert "Value error" not in str(caught.value)


HOOK = "https://hooks.example/services/T0/B0/a-secret"


@pytest.mark.parametrize(
    "override",
    [
        f"alerts.webhook_url={HOOK}",
        f"alerts.webhook_url: {HOOK}",
        f"alerts.webhook_url=[{HOOK}",
        f"alerts={HOOK}",
        f"alerts={{webhook_url: '{HOOK}'}}",
        f"alerts.webhok_url={HOOK}",
        "alerts.webhook_url=hooks.example/a-secret",
        "registry.tracking_uri=https://mlflow:a-secret@mlflow.example",
        "tuning.storage=postgresql://optuna:a-secret@db.example/trials",
    ],
)
def test_secret_on_the_command_line_is_refused_and_not_repeated(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[override])
    assert "a-secret" not in str(caught.value)
    assert override.partition("=")[0].partition(":")[0] in str(caught.value)


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_WEBHOOK_URL", HOOK)
    monkeypatch.setenv("CHURN_TRACKING_URI", "https://mlflow:a-secret@mlflow.example")
    config = load_config()
    assert config.alerts.webhook_url == HOOK
    assert config.registry.tracking_uri == "https://mlflow:a-secret@mlflow.example"
    monkeypatch.setenv("CHURN_WEBHOOK_URL", "hooks.example/a-secret")
    with pytest.raises(ConfigError, match=r"alerts\.webhook_url: ") as caught:
        load_config()
    assert "a-secret" not in str(caught.value)


def test_file_that_is_no_yaml_is_not_repeated(conf: Path) -> None:
    (conf / "local.yaml").write_text(f"alerts:\n  webhook_url: [{HOOK}\n")
    with pytest.raises(ConfigError, match=r"local\.yaml is no valid YAML.*line 3") as caught:
        load_config()
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("alerts:\n  webhook_url: {hook}\nlabels: {{}}\nalerts: {{}}\n", "alerts .* lines 1 and 4"),
        ("alerts:\n  webhook_url: x\n  webhook_url: {hook}\n", "webhook_url .* lines 2 and 3"),
        ("alerts: {{webhook_url: {hook}, webhook_url: x}}\n", "webhook_url .* lines 1 and 1"),
    ],
)
def test_key_that_a_file_has_twice_is_refused(text: str, told: str, conf: Path) -> None:
    (conf / "local.yaml").write_text(text.format(hook=HOOK))
    with pytest.raises(ConfigError, match=rf"local\.yaml: found the key {told}, exp") as caught:
        load_config()
    assert "a-secret" not in str(caught.value)


def test_key_that_an_override_has_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="--set 'labels': found the key gap_days twice"):
        load_config(overrides=["labels={gap_days: 1, gap_days: 3}"])


@pytest.mark.parametrize(
    "value",
    ["2018-02-30", "[2026-02-30]", "2018-10-01T25:00:00", "0x_", "!!int ''", "!!timestamp x"],
)
def test_value_that_looks_like_a_date_or_a_number_and_is_none_is_refused(
    value: str, conf: Path
) -> None:
    column = 1 + value.startswith("[")
    told = f"no valid YAML: line 1, column {column}, no such date or number"
    with pytest.raises(ConfigError, match=f"^the value in --set 'ingest.earliest' is {told}$"):
        load_config(overrides=[f"ingest.earliest={value}"])
    (conf / "local.yaml").write_text(f"ingest:\n  earliest: {value}\n")
    with pytest.raises(ConfigError, match=r"local\.yaml is no valid YAML in UTF-8: line 2, col"):
        load_config()


def test_value_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^the value in --set 'a' is no valid YAML$"):
        load_config(overrides=[f"a={'[' * 2000}{']' * 2000}"])


def test_keys_that_are_merged_may_be_given_anew(conf: Path) -> None:
    (conf / "local.yaml").write_text(
        "training: &one {seed: 5}\nbehaviour: &two {<<: *one, seed: 6}\ntuning: {<<: *two, seed: 7}"
    )
    config = load_config()
    assert [config.training.seed, config.behaviour.seed, config.tuning.seed] == [5, 6, 7]


def test_missing_key_is_named(conf: Path) -> None:
    values = yaml.safe_load((conf / "base.yaml").read_text())
    del values["training"]["seed"]
    (conf / "base.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"training\.seed: Field required"):
        load_config()


@pytest.mark.parametrize(
    "override",
    [
        "training.validation_share=-0.1",
        "training.as_of_weekday=7",
        "labels.horizon_days=0",
        "labels.gap_days=-1",
        "encoding.max_levels=57",
        "lightgbm.bagging_fraction=0",
        "policy.enter_adjusted_p=1",
        "scoring.high_risk_lift=1",
        "scoring.high_risk_lift=.nan",
        "ingest.earliest=yesterday",
        "ingest.quarantine_days=999999",
        "labels.horizon_days=999999",
        "labels.gap_days=999999",
        "labels.grace_days=999999",
        "labels.lateness_days=999999",
        "retention_list.quiet_days=999999",
        "maintenance.keep_rows_days=999999",
        "maintenance.keep_models_days=999999",
        "labels=14",
    ],
)
def test_value_is_refused_when_it_is_out_of_range(override: str) -> None:
    key, _, _ = override.partition("=")
    with pytest.raises(ConfigError, match=f"invalid configuration: {key}: "):
        load_config(overrides=[override])


def test_environment_is_refused_when_it_has_no_file() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("production")
    assert str(caught.value).startswith("no configuration 'production' in ")
    assert "there is: cluster, local. Pass one of them to --env" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("a: [1", "is no valid YAML"), ("- 1\n", "holds list, expected sections with keys")],
)
def test_file_is_refused_when_it_holds_no_sections(conf: Path, text: str, complaint: str) -> None:
    (conf / "local.yaml").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_config()


def test_configuration_is_frozen() -> None:
    config = load_config()
    with pytest.raises(ValidationError, match="frozen"):
        config.training.seed = 8  # type: ignore[misc]


def test_base_and_environment_files_hold_known_sections_only() -> None:
    base, cluster = (
        yaml.safe_load((conf_folder() / f"{name}.yaml").read_text()) for name in ("base", "cluster")
    )
    assert set(cluster) < set(base) == set(Config.model_fields)
