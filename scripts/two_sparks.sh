#!/usr/bin/env bash
# Four nights of one simulated log on the shipped Spark and on Spark 4: the same tables?
#   usage: two_sparks.sh VENV SPARK4_VENV     leaves both lakehouses in build/two_sparks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=build/two_sparks
rm -rf "$folder"
mkdir -p "$folder"

# All by Spark, also what few users need none for, and by the engine that both have.
settings=(
  --set lightgbm.engine=lightgbm
  --set ingest.reader=spark
  --set ingest.max_driver_bytes=0
  --set ingest.max_driver_events=0
  --set spark.max_local_users=0
)

for venv in "$@"; do
  spark=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("pyspark"))')
  lakehouses+=("$folder/$spark")
  started=$SECONDS
  LAKEHOUSE=$folder/$spark "$venv/bin/python" -m jobs.demo --nights 4 "${settings[@]}" \
    > "$folder/$spark.log" 2>&1 || {
    tail -n 40 "$folder/$spark.log" >&2
    echo "error: the nights on Spark $spark failed: their output ends above" >&2
    exit 1
  }
  echo "Spark $spark: four nights and a backtest in $((SECONDS - started)) s"
  # A date that is done is done again with equal result, by spark-submit too.
  VENV=$venv LAKEHOUSE=$folder/$spark ./spark-submit.sh build_snapshots --date 2018-12-01
done

"$1/bin/python" -m bench.same_lakehouse "${lakehouses[@]}"
