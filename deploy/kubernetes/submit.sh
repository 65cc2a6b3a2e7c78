#!/usr/bin/env bash
# One job with its driver and executors in pods, as spark-submit.sh:
#   ./submit.sh [--conf SETTING=VALUE ...] JOB [OPTIONS]
#
# Settings of Spark, such as secrets that the driver needs, stand before the job.
# KUBERNETES_API (https://host:port), CHURN_IMAGE (made by the Dockerfile beside this) and
# LAKEHOUSE (an object store's address) must be set; NAMESPACE (default) and EXECUTORS (2) may be.
# VENV is the virtual environment whose spark-submit is taken (.venv).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${VENV:-$root/.venv}/bin/python
for name in KUBERNETES_API CHURN_IMAGE LAKEHOUSE; do
  [[ -n ${!name:-} ]] || {
    echo "error: found no $name, expected it in the environment: see the head of $0" >&2
    exit 2
  }
done
settings=(
  spark.kubernetes.namespace="${NAMESPACE:-default}"
  spark.kubernetes.container.image="$CHURN_IMAGE"
  spark.kubernetes.authenticate.driver.serviceAccountName=spark
  spark.executor.instances="${EXECUTORS:-2}"
  spark.executor.cores=2
  spark.executor.memory=4g
  spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension
  spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog
  spark.sql.session.timeZone=UTC
  spark.driver.extraJavaOptions='-Duser.timezone=UTC -Dlog4j2.configurationFile=/app/conf/log4j2.properties'
  spark.executor.extraJavaOptions=-Duser.timezone=UTC
  spark.executorEnv.TZ=UTC
  spark.executorEnv.PYTHONPATH=/app
  spark.kubernetes.driverEnv.TZ=UTC
  spark.kubernetes.driverEnv.LAKEHOUSE="$LAKEHOUSE"
  # Of training one fit needs all its tasks at once.
  spark.dynamicAllocation.enabled=false
)
while [[ ${1:-} == --conf && $# -gt 1 ]]; do
  settings+=("$2")
  shift 2
done
[[ -n ${1:-} && -f $root/jobs/$1.py ]] || {
  echo "error: found job '${1:-}', expected one of those that ./spark-submit.sh --help lists" >&2
  exit 2
}
job=$1
shift
spark=$("$python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent)')
exec "$spark/bin/spark-submit" \
  --master "k8s://$KUBERNETES_API" \
  --deploy-mode cluster \
  --name "churn-${job//_/-}" \
  --driver-memory "${SPARK_DRIVER_MEMORY:-4g}" \
  "${settings[@]/#/--conf=}" \
  "local:///app/jobs/$job.py" "$@"
