#!/usr/bin/env bash
# Builds the sdist and from it the wheel, installs the wheel into an empty environment, and uses it
# outside of the checkout: help, a night on a small simulated log, questions, the doctor, and the
# service's help.
#   usage: package_check.sh PYTHON [locked]     PYTHON: of the project's environment
# The packages that it needs are borrowed from PYTHON's environment; with "locked" they are installed
# from the lock that the wheel brings (some minutes).
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
how=${2:-borrowed}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=build/package/venv
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/log

fail() {
  tail -n 40 "$log" >&2
  echo "error: $1: its output ends above" >&2
  exit 1
}
pip=(-m pip install --quiet --no-input --disable-pip-version-check --root-user-action=ignore)

if ! cmp -s requirements/package.lock "$tools/installed.lock"; then
  rm -rf "$tools" && "$python" -m venv "$tools"
  "$tools/bin/python" "${pip[@]}" --require-hashes -r requirements/package.lock > "$log" 2>&1 ||
    fail "the tools of requirements/package.lock could not be installed"
  cp requirements/package.lock "$tools/installed.lock"
fi
"$tools/bin/python" -m build --no-isolation --outdir "$folder/dist" . > "$log" 2>&1 ||
  fail "sdist and wheel could not be built"
wheel=$(echo "$folder"/dist/*.whl)

venv=$folder/venv
"$python" -m venv "$venv"
"$venv/bin/python" "${pip[@]}" --no-deps "$wheel" > "$log" 2>&1 || fail "the wheel was not installed"
packages() {
  "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
}
within=$(packages "$venv/bin/python")
if [[ $how == locked ]]; then
  "$venv/bin/python" "${pip[@]}" --use-pep517 --require-hashes \
    -r "$within/churn_spark/requirements/base.lock" > "$log" 2>&1 || fail "its lock was not installed"
else
  packages "$python" > "$within/borrowed.pth"
fi

while read -r file; do
  [[ -f $within/$file || -f $within/churn_spark/$file ]] || fail "$file is not in the wheel"
done < <(find churn_spark jobs conf -type f ! -name '*.pyc')

# From here on nothing is to come from the checkout.
cd "$folder"
unset PYTHONPATH CHURN_CONF_DIR
export LAKEHOUSE=$folder/lakehouse PATH=$venv/bin:$PATH
run() {
  echo "\$ $*" >> "$log"
  "$@" >> "$log" 2>&1 || fail "$* failed"
}
: > "$log"
run churn-spark --version
run churn-spark --help
run "$venv/bin/python" -m churn_spark.runtime.jars
run churn-spark simulate_events --out logs --users 60 --days 40 --seed 1
run churn-spark nightly --events logs/events
run churn-spark status
run churn-spark query --saved
run churn-spark query --saved cancels_by_week
# So few users give no model, but features.
[[ $(churn-spark query "select count(*) > 0 as built from gold.snapshots") == $'built\nTrue' ]] ||
  fail "the night has built no snapshot"
run churn-spark doctor
run churn-spark serve --help
"$venv/bin/python" -c 'import churn_spark, jobs; print(churn_spark.__file__, jobs.__file__)' > where
[[ $(grep -o "$venv" where | wc -l) == 2 ]] || fail "the code is not that of the wheel: $(< where)"
echo "wheel and sdist: $(basename "$wheel"), $(($(wc -c < "$wheel") / 1000)) kB, $how packages;" \
  "help, a night, questions, doctor and the service's help from an empty environment in $SECONDS s"
