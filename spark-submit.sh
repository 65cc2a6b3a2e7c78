#!/usr/bin/env bash
# One job by spark-submit: ./spark-submit.sh JOB [--date D] [--env local|cluster] [--set a.b=c ...]
#
# SPARK_MASTER (local[*]), SPARK_DRIVER_MEMORY (2g) and, on a cluster, SPARK_EXECUTOR_MEMORY (1g) say
# where and how big; further settings go into the spark-defaults.conf of SPARK_CONF_DIR. LAKEHOUSE
# says where the tables are. On a cluster: docs/cluster.md.
# The exit code is the job's.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${VENV:-$root/.venv}/bin/python

fail() {
  echo "error: $1" >&2
  exit 2
}

# The service is no job of Spark's: `make serve` starts it.
known_jobs() {
  local file
  for file in "$root"/jobs/[!_]*.py; do
    basename "$file" .py
  done | grep -vx serve | paste -sd ' ' -
}

# The job that was probably meant, where some Python can tell.
neighbour_of() {
  local close
  # shellcheck disable=SC2046
  close=$("$([[ -x $python ]] && echo "$python" || echo python3)" -c 'import difflib, sys
print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1))' "$1" $(known_jobs) 2> /dev/null) || return 0
  [[ -z $close ]] || echo " (did you mean $close?)"
}

case ${1:-} in
  '' | -h | --help)
    echo "usage: ./spark-submit.sh JOB [--date D] [--env local|cluster] [--set a.b=c ...]"
    echo "jobs:  $(known_jobs)"
    [[ -n ${1:-} ]] || exit 2
    exit 0
    ;;
esac
job=$1
shift
[[ $job =~ ^[a-z][a-z_]*$ && $job != serve && -f $root/jobs/$job.py ]] ||
  fail "found job '$job', expected one of: $(known_jobs)$(neighbour_of "$job")"
[[ -x $python ]] || fail "found no $python, expected the virtual environment: run make setup"

# Relative paths in the arguments mean the caller's folder, so this script stays in it.
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export CHURN_CONF_DIR=${CHURN_CONF_DIR:-$root/conf}
export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$python}
export PYSPARK_DRIVER_PYTHON=$python
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true TZ=UTC

java_settings=$("$python" -m churn_spark.runtime.java)
eval "$java_settings"
mapfile -t jars < <("$python" -m churn_spark.runtime.jars --spark-submit "$@")
((${#jars[@]})) || fail "found no list of Spark jars: run make setup"

# The pip-installed Spark and no other.
SPARK_HOME=$("$python" -c 'import importlib.util, pathlib
print(pathlib.Path(importlib.util.find_spec("pyspark").origin).parent)')
export SPARK_HOME

# The packages that the executors import, zipped. The zip is named by its content: a job that still
# runs keeps its own, whatever is submitted next.
zip_packages() {
  "$python" - "$root" <<'PY'
import hashlib, io, os, sys, zipfile
from pathlib import Path

root = Path(sys.argv[1])
content = io.BytesIO()
with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
    for package in ("churn_spark", "jobs"):
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(root).as_posix()
                entry = zipfile.ZipInfo(name)  # dated 1980: equal content, equal bytes
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
digest = hashlib.sha256(content.getvalue()).hexdigest()[:12]
target = root / "build" / f"churn_spark-{digest}.zip"
if not target.is_file():
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content.getvalue())
    part.replace(target)
print(target)
PY
}

master=${SPARK_MASTER:-local[*]}
settings=(
  --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension
  --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog
  --conf spark.sql.session.timeZone=UTC
  --conf spark.executorEnv.TZ=UTC
  --conf spark.executor.extraJavaOptions=-Duser.timezone=UTC
  --conf spark.ui.showConsoleProgress=false
)
# Within one machine's JVM the workers import from PYTHONPATH: a checkout may be read-only.
if [[ ! $master =~ ^local(\[.*\])?$ ]]; then
  packages=$(zip_packages) ||
    fail "the packages could not be zipped into $root/build: is it writable?"
  settings+=(--py-files "$packages")
fi
if [[ $master == local* ]]; then
  # A laptop's host name may resolve to nothing, or to a network that is gone.
  settings+=(
    --conf spark.driver.host=127.0.0.1
    --conf spark.driver.bindAddress=127.0.0.1
    --conf spark.ui.enabled=false
  )
elif [[ $master == spark://* ]]; then
  # Work is dealt by the cores that are there: with spark.cores.max set, wait for most of them.
  settings+=(--conf spark.scheduler.minRegisteredResourcesRatio=0.8)
fi

exec "$SPARK_HOME/bin/spark-submit" \
  --name "$job" \
  --master "$master" \
  --driver-memory "${SPARK_DRIVER_MEMORY:-2g}" \
  --driver-java-options "-XX:+UseParallelGC -XX:MetaspaceSize=256m -Duser.timezone=UTC \"-Dlog4j2.configurationFile=$CHURN_CONF_DIR/log4j2.properties\"" \
  "${jars[@]}" \
  "${settings[@]}" \
  "$root/jobs/$job.py" "$@"
