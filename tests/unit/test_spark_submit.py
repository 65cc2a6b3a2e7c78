"""`spark-submit.sh`: what Spark is called with; Spark and set-up's answers are doubles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Says what set-up would have found, and is a Python otherwise.
PYTHON = f"""#!/bin/sh
case "$2" in
  churn_spark.runtime.java) ;;
  churn_spark.runtime.jars) printf '%s\\n' --jars a.jar ;;
  *) exec {sys.executable} "$@" ;;
esac
"""
SPARK = '#!/bin/sh\nprintf "%s\\n" "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a job, and with a Spark that prints its arguments, one a line."""
    written = {"venv/bin/python": PYTHON, "pyspark/bin/spark-submit": SPARK}
    written |= dict.fromkeys(("pyspark/__init__.py", "churn_spark/__init__.py"), "")
    written["jobs/nightly.py"] = "print('a night')\n"
    for name, text in written.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(ROOT / "spark-submit.sh", tmp_path)
    return tmp_path


def submit(checkout: Path, master: str) -> subprocess.CompletedProcess[str]:
    told = {"VENV": str(checkout / "venv"), "SPARK_MASTER": master, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(checkout / "spark-submit.sh"), "nightly", "--date", "2018-12-01"]
    return subprocess.run(
        command, env=os.environ | told, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]"])
def test_nothing_is_written_into_the_checkout_when_the_master_is_local(
    checkout: Path, master: str
) -> None:
    before = sorted(checkout.rglob("*"))
    done = submit(checkout, master)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[said.index("--master") + 1] == master
    assert said[-3:] == [str(checkout / "jobs" / "nightly.py"), "--date", "2018-12-01"]
    assert "--py-files" not in said
    assert sorted(checkout.rglob("*")) == before


@pytest.mark.parametrize("master", ["local-cluster[2,1,1024]", "spark://cluster:7077", "yarn"])
def test_other_processes_get_the_packages_zipped(checkout: Path, master: str) -> None:
    done = submit(checkout, master)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    archive = Path(said[said.index("--py-files") + 1])
    assert archive.parent == checkout / "build"
    assert zipfile.ZipFile(archive).namelist() == ["churn_spark/__init__.py", "jobs/nightly.py"]
    assert submit(checkout, master).stdout == done.stdout


def test_checkout_that_cannot_be_written_is_named_when_packages_must_be_zipped(
    checkout: Path,
) -> None:
    (checkout / "build").touch()
    refused = submit(checkout, "yarn")
    assert refused.returncode == 2
    assert f"could not be zipped into {checkout}/build: is it writable?" in refused.stderr
