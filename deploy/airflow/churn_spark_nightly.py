"""The night as an Airflow DAG: `nightly` as of the run's date, then its list as a CSV file.

Copy this file into Airflow's folder of DAGs (Airflow 3). The workers find everything by their
environment:

- CHURN_SPARK_HOME: the checkout, after `make setup` (/opt/churn_spark)
- CHURN_SPARK_EVENTS: the folder of the logs (/var/lib/churn_spark/events)
- CHURN_SPARK_LISTS: where the lists go (/var/lib/churn_spark/lists)
- CHURN_SPARK_RETRY_SECONDS: between a try and the next one (600)
- LAKEHOUSE, SPARK_MASTER, VENV and the others that spark-submit.sh reads

Airflow's own Python never meets the project's: each task starts spark-submit.sh.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, Param, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

HOME = os.environ.get("CHURN_SPARK_HOME", "/opt/churn_spark")
EVENTS = os.environ.get("CHURN_SPARK_EVENTS", "/var/lib/churn_spark/events")
LISTS = os.environ.get("CHURN_SPARK_LISTS", "/var/lib/churn_spark/lists")
RETRY_SECONDS = int(os.environ.get("CHURN_SPARK_RETRY_SECONDS", "600"))

DONE = 0
ALERT, RETRAINING_ASKED = 10, 20  # done, and somebody should look
MISTAKE, HELD = 2, 30  # the same again ends the same: somebody must do something first
LOCKED = 40  # another job is writing; later the same does its work

# What the list's job says after a night without a model: there were too few cancels to train one.
NO_SCORES = r"found no table ml/scores"

# A run at 03:15 is the night as of that day; a run by hand may name another one.
AS_OF = "{{ params.as_of or (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d') }}"


class SparkSubmitJob(BaseOperator):
    """Runs a job by spark-submit.sh and returns its exit code, where its work is done.

    Retries are safe: a job that was killed is finished by the next run of the same command.

    Args:
        job: name of the job.
        options: of its command line.
        nothing: pattern in the last line that it prints where there is nothing for it to do.
    """

    template_fields = ("options",)

    def __init__(
        self, *, job: str, options: list[str], nothing: str | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.job = job
        self.options = options
        self.nothing = nothing
        self.process = SubprocessHook()

    def execute(self, context: Any) -> int:
        """Run it; what it prints goes to the task's log.

        Raises:
            AirflowSkipException: if there is nothing to do.
            AirflowFailException: if a retry would end the same.
            AirflowException: if a retry may do its work.
        """
        command = ["./spark-submit.sh", self.job, *self.options]
        result = self.process.run_command(command, cwd=HOME, env=dict(os.environ))
        code = int(result.exit_code)
        if code in (DONE, ALERT, RETRAINING_ASKED):
            return code
        said = f"{self.job} ended with exit code {code}: {result.output}"
        if code == MISTAKE and self.nothing and re.search(self.nothing, result.output):
            raise AirflowSkipException(said)
        if code in (MISTAKE, HELD):
            raise AirflowFailException(said)
        raise AirflowException(said)

    def on_kill(self) -> None:
        """End the job with its JVM: the lock is free at once, and the next run goes on."""
        self.process.send_sigterm()


@task
def attend(code: int) -> str:
    """Is skipped after a night without anything to look at: a place for a message to the team."""
    if code == DONE:
        raise AirflowSkipException("the night is done, and no alert is open")
    return "a retraining is asked for" if code == RETRAINING_ASKED else "an alert is open"


with DAG(
    "churn_spark_nightly",
    description="Who is about to cancel, as of this morning",
    schedule=CronTriggerTimetable("15 3 * * *", timezone="UTC"),
    start_date=datetime(2018, 10, 8, tzinfo=UTC),
    # Nights that were left out are asked for, the oldest first:
    # `airflow backfill create --max-active-runs 1`.
    catchup=False,
    # Each night stands on those before.
    max_active_runs=1,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=RETRY_SECONDS),
        "execution_timeout": timedelta(hours=6),
    },
    params={"as_of": Param(None, type=["null", "string"], format="date")},
    tags=["churn"],
):
    # --wait: a worker that died elsewhere is taken for dead after five minutes
    # (lock.stale_minutes).
    nightly = SparkSubmitJob(
        task_id="nightly",
        job="nightly",
        options=["--date", AS_OF, "--events", EVENTS, "--fail-on-alert", "--wait", "10"],
        # The bound on the DAG's runs isn't one on a backfill's.
        max_active_tis_per_dag=1,
    )
    export_list = SparkSubmitJob(
        task_id="export_list",
        job="build_retention_list",
        options=["--date", AS_OF, "--csv", f"{LISTS}/list-{AS_OF}.csv", "--wait", "10"],
        # Until there is a first model.
        nothing=NO_SCORES,
    )
    nightly >> [export_list, attend(nightly.output)]
