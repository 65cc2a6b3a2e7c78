"""The files and pages for platforms: well-formed, and all they name is in the product.

They can't be run here, so a job, an option or an exit code that has changed would stay unseen.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from churn_spark.errors import ExitCode
from churn_spark.runtime import jars
from churn_spark.runtime.jars import PACKAGES, S3A_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PAGES = sorted((ROOT / "docs" / "platforms").glob("*.md"))
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc")
COMMAND = re.compile(
    r"(?:-m jobs\.|jobs/|\"jobs\.|submit\.sh (?:--conf \S+\s+)*)(\w+)(?:\.py)?([^;|\n]*)"
)
AIRFLOW = DEPLOY / "airflow" / "churn_spark_nightly.py"


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def strings_in(value: Any) -> Iterator[str]:
    """Each list of strings in a document as one command line, and each string of its own."""
    if isinstance(value, dict):
        if {"entryPoint", "entryPointArguments"} <= value.keys():
            yield " ".join([value["entryPoint"], *value["entryPointArguments"]])
        if {"python_file", "parameters"} <= value.keys():
            yield " ".join([value["python_file"], *value["parameters"]])
        value = [*value.values()]
    if isinstance(value, list):
        for one in value:
            yield from strings_in(one)
    elif isinstance(value, str):
        yield value


def documents(path: Path) -> list[Any]:
    text = text_of(path)
    return [json.loads(text)] if path.suffix == ".json" else [*yaml.safe_load_all(text)]


def commands_of(path: Path) -> list[tuple[str, list[str]]]:
    """The jobs that a file starts, each with its options."""
    if path.suffix in {".json", ".yaml", ".yml"}:
        lines = [line for one in documents(path) for line in strings_in(one)]
    elif path == AIRFLOW:
        return [*airflow_tasks()]
    else:
        lines = [text_of(path).replace("\\\n", " ")]
    found = [one for line in lines for one in COMMAND.findall(line)]
    return [(job, re.findall(r"(?<=\s)--[a-z-]+", rest)) for job, rest in found]


def airflow_tasks() -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(ast.parse(text_of(AIRFLOW))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "SparkSubmitJob":
            job = next(one.value for one in node.keywords if one.arg == "job")
            assert isinstance(job, ast.Constant)
            yield str(job.value), re.findall(r"'(--[a-z-]+)'", ast.unparse(node))


def test_airflow_does_one_night_at_a_time_in_a_backfill_too() -> None:
    # Whatever the DAG's own max_active_runs is, Airflow takes ten runs of a backfill at once.
    texts = {path: text_of(path) for path in [AIRFLOW, *(ROOT / "docs").rglob("*.md")]}
    told = [one for text in texts.values() for one in re.findall("airflow backfill [^`]*", text)]
    assert len(told) == 2
    assert [one for one in told if "--max-active-runs 1" not in one] == []
    [nightly] = re.findall(r"    nightly = SparkSubmitJob\(\n(?:     .*\n)+", texts[AIRFLOW])
    assert "max_active_tis_per_dag=1," in nightly


def options_of(job: str) -> set[str]:
    command = typer.main.get_command(import_module(f"jobs.{job}").app)
    return {name for one in command.params for name in one.opts} | {"--help"}


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=lambda path: path.name)
def test_jobs_and_their_options_are_those_of_the_product(path: Path) -> None:
    for job, options in commands_of(path):
        assert job == "JOB" or (ROOT / "jobs" / f"{job}.py").is_file(), job
        if job != "JOB":
            assert {*options} <= options_of(job), (job, options)


def test_every_platform_starts_the_night() -> None:
    started = {
        path.parent.name for path in FILES for job, options in commands_of(path)
        if job == "nightly" and {"--date", "--events"} <= {*options}
    }  # fmt: skip
    assert {"deploy", "airflow", "kubernetes", "databricks", "emr"} <= started
    assert {page.stem for page in PAGES} == {"yarn", "kubernetes", "databricks", "emr"}
    for page in PAGES:
        assert "**Not run here.**" in text_of(page)


def test_scheduled_nights_wait_for_the_lock_of_one_that_died_elsewhere() -> None:
    nights = [
        (path.name, options) for path in FILES for job, options in commands_of(path)
        if job == "nightly" and "--date" in options
    ]  # fmt: skip
    assert {"churn-spark.cron", "churn-spark.service"} < {name for name, _ in nights}
    assert [name for name, options in nights if "--wait" not in options] == []


@cache
def variables_that_are_read() -> frozenset[str]:
    scripts = [ROOT / "spark-submit.sh", ROOT / "Dockerfile", DEPLOY / "kubernetes" / "submit.sh"]
    readers = [*(ROOT / "churn_spark").rglob("*.py"), *(ROOT / "jobs").glob("*.py")]
    return frozenset(
        name
        for path in [*readers, *scripts, AIRFLOW]
        for name in re.findall(r"CHURN_[A-Z_]+", text_of(path))
    )


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=lambda path: path.name)
def test_variables_of_the_project_are_read_by_it(path: Path) -> None:
    assert {*re.findall(r"CHURN_[A-Z_]+", text_of(path))} <= variables_that_are_read()


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_well_formed(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert os.access(path, os.X_OK)


def test_settings_of_spark_have_a_name_and_a_value() -> None:
    lines = text_of(DEPLOY / "yarn" / "spark-defaults.conf").splitlines()
    for line in lines:
        assert not line or line.startswith("#") or re.fullmatch(r"spark\.[\w.]+ +\S+", line)


def test_exit_codes_of_the_airflow_dag_are_those_of_the_jobs() -> None:
    assigned: dict[str, int] = {}
    for line in re.findall(r"^([A-Z_, ]+) = ([\d, ]+)(?:  #.*)?$", text_of(AIRFLOW), re.M):
        names, codes = (part.split(", ") for part in line)
        assigned |= dict(zip(names, map(int, codes), strict=True))
    assert assigned == {code.name: int(code) for code in ExitCode if code.name in assigned}
    # LATE is of check_freshness, which no DAG runs: it tells of nights that never came.
    assert {*ExitCode.__members__} - {*assigned} == {"UNEXPECTED", "LATE"}


def test_pod_fails_for_good_only_where_a_rerun_ends_the_same() -> None:
    (job,) = documents(DEPLOY / "kubernetes" / "nightly.yaml")
    spec = job["spec"]["jobTemplate"]["spec"]
    (rule,) = [one for one in spec["podFailurePolicy"]["rules"] if one["action"] == "FailJob"]
    assert {*rule["onExitCodes"]["values"]} == {ExitCode.MISTAKE, ExitCode.HELD}
    (container,) = spec["template"]["spec"]["containers"]
    assert rule["onExitCodes"]["containerName"] == container["name"]
    # Kubernetes refuses the policy with any other.
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in spec["template"]["spec"]["volumes"]}
    (script,) = container["args"]
    for code, expected in ((0, 0), (20, 0), (30, 30), (40, 40)):
        # The script itself, with a job that ends so.
        fake = f"python() {{ return {code}; }}\n{script}"
        assert subprocess.run(["/bin/sh", "-c", fake], check=False).returncode == expected


def test_image_for_s3_has_a_list_of_the_jars_that_its_jobs_look_for() -> None:
    dockerfile = text_of(ROOT / "Dockerfile")
    told = {one for page in PAGES for one in re.findall(r"--build-arg (\S+)=s3a://", text_of(page))}
    [argument] = told
    assert f"\nARG {argument}=\n" in dockerfile
    lines = re.findall(r"-m churn_spark\.runtime\.jars(.*) \\\n", dockerfile)
    assert lines == ["", f' "${{{argument}}}"']
    [copied] = re.findall(r"COPY --from=jars (\S+\.txt) ", dockerfile)
    for packages in (PACKAGES, S3A_PACKAGES):
        assert fnmatch(jars._list_path(packages).name, Path(copied).name)


def test_packages_on_databricks_are_those_of_the_lock_without_spark() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", text_of(ROOT / "requirements/base.lock"), re.M))
    asked = dict(
        line.split("==")
        for line in text_of(DEPLOY / "databricks" / "requirements.txt").splitlines()
        if not line.startswith("#")
    )
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    direct = {re.split(r"[^\w.-]", one)[0] for one in project["dependencies"]}
    assert {*asked} == direct - {"pyspark", "delta-spark"}
    assert asked == {name: pins[name] for name in asked}
    (bundle,) = documents(DEPLOY / "databricks" / "databricks.yml")
    (task,) = bundle["resources"]["jobs"]["churn_nightly"]["tasks"]
    jars = [one["maven"]["coordinates"] for one in task["libraries"] if "maven" in one]
    assert jars == [one for one in PACKAGES if "delta" not in one]


def test_lock_for_emr_is_written_in_a_checkout_that_has_no_build_folder_yet(
    tmp_path: Path,
) -> None:
    dockerfile, page = DEPLOY / "emr" / "Dockerfile", ROOT / "docs" / "platforms" / "emr.md"
    said = [
        re.search(r"^[# ]*(.*> build/emr\.lock)", text_of(one), re.M) for one in (dockerfile, page)
    ]
    [command] = {one[1] for one in said if one}
    (tmp_path / "requirements").mkdir()
    lock = text_of(ROOT / "requirements" / "base.lock")
    (tmp_path / "requirements" / "base.lock").write_text(lock)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    names, of_emr = (
        re.findall(r"^([\w.-]+)==", text, re.M)
        for text in (lock, text_of(tmp_path / "build" / "emr.lock"))
    )
    assert {*names} - {*of_emr} == {"pyspark", "delta-spark", "py4j"}


@pytest.fixture
def spark_home(tmp_path: Path) -> Path:
    """A Spark and a Java that print what they are called with, an argument a line."""
    for name in ("bin/spark-submit", "java/bin/java"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        path.chmod(0o755)
    return tmp_path


def test_entry_point_starts_an_executor_with_all_its_options(spark_home: Path) -> None:
    told = {
        "SPARK_JAVA_OPT_0": "-Da=b c", "SPARK_JAVA_OPT_1": "-Dd=e", "SPARK_EXECUTOR_MEMORY": "4g",
        "SPARK_DIST_CLASSPATH": "/opt/jars/*", "SPARK_DRIVER_URL": "spark://driver",
        "SPARK_EXECUTOR_ID": "1", "SPARK_EXECUTOR_CORES": "2", "SPARK_APPLICATION_ID": "app",
        "SPARK_EXECUTOR_POD_IP": "10.0.0.1", "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_EXECUTOR_POD_NAME": "exec-1", "SPARK_HOME": str(spark_home),
        "JAVA_HOME": str(spark_home / "java"),
    }  # fmt: skip
    script = str(DEPLOY / "kubernetes" / "entrypoint.sh")
    said = subprocess.run(
        [script, "executor"], env=os.environ | told, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[:4] == ["-Da=b c", "-Dd=e", "-Xms4g", "-Xmx4g"]
    assert said[5] == f"{spark_home}/jars/*:/opt/jars/*"
    assert dict(zip(said[7::2], said[8::2], strict=True)) == {
        "--driver-url": "spark://driver", "--executor-id": "1", "--cores": "2",
        "--app-id": "app", "--hostname": "10.0.0.1", "--resourceProfileId": "0",
        "--podName": "exec-1",
    }  # fmt: skip


def submit_to_kubernetes(
    spark_home: Path, *arguments: str, lakehouse: str = "s3a://b/l"
) -> subprocess.CompletedProcess[str]:
    python = spark_home / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f"#!/bin/sh\necho {shlex.quote(str(spark_home))}\n")
    python.chmod(0o755)
    told = {"KUBERNETES_API": "https://api:6443", "CHURN_IMAGE": "image", "LAKEHOUSE": lakehouse}
    told["VENV"] = str(spark_home / "venv")
    command = [str(DEPLOY / "kubernetes" / "submit.sh"), *arguments]
    return subprocess.run(
        command, env=os.environ | told, capture_output=True, text=True, check=False
    )


def test_submission_to_kubernetes_names_the_job_in_the_image(spark_home: Path) -> None:
    said = submit_to_kubernetes(spark_home, "nightly", "--date", "2018-12-01").stdout.splitlines()
    assert said[:2] == ["--master", "k8s://https://api:6443"]
    assert "--conf=spark.kubernetes.driverEnv.LAKEHOUSE=s3a://b/l" in said
    assert said[-3:] == ["local:///app/jobs/nightly.py", "--date", "2018-12-01"]


def test_submission_to_kubernetes_hands_settings_before_the_job_to_spark(spark_home: Path) -> None:
    job = ["nightly", "--date", "2018-12-01"]
    usual = submit_to_kubernetes(spark_home, *job).stdout.splitlines()
    settings = ["spark.kubernetes.driver.secretKeyRef.A=b:c", "spark.executor.memory=8g"]
    options = [word for one in settings for word in ("--conf", one)]
    said = submit_to_kubernetes(spark_home, *options, *job).stdout.splitlines()
    # Of two values Spark takes the later one.
    assert said == [*usual[:-3], *(f"--conf={one}" for one in settings), *usual[-3:]]


@pytest.mark.parametrize(
    ("arguments", "lakehouse", "found"),
    [
        (["nightly"], "", "found no LAKEHOUSE"),
        (["nightl"], "s3a://b/l", "found job 'nightl'"),
        (["--conf"], "s3a://b/l", "found job '--conf'"),
        (["--conf", "spark.a=b"], "s3a://b/l", "found job ''"),
    ],
)
def test_submission_to_kubernetes_is_refused_when_something_is_missing(
    spark_home: Path, arguments: list[str], lakehouse: str, found: str
) -> None:
    refused = submit_to_kubernetes(spark_home, *arguments, lakehouse=lakehouse)
    assert refused.returncode == ExitCode.MISTAKE
    assert found in refused.stderr
