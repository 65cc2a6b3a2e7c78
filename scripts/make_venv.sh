#!/usr/bin/env bash
# Makes the virtual environment, or makes it anew: `make setup` calls this where it isn't as the
# lock says.
#   usage: make_venv.sh VENV LOCK [named]     PYTHONS: the interpreters to try
#
# One that this project has made has a folder churn_spark in it, and once it is whole a copy of the
# lock there. The environment that `make` takes by itself is made anew whatever it holds. One that
# somebody has named isn't touched where it is another project's, or whole and of another lock.
set -euo pipefail
venv=$1
lock=$2
is_named=${3:+yes}
read -ra pythons <<< "${PYTHONS:-python3.11 python3}"
ours=$venv/churn_spark

fail() {
  echo "error: $1" >&2
  exit 2
}

instead="or choose another VENV=dir"
if [[ -d $venv && -z $(ls -A "$venv") || ! -e $venv ]]; then
  why="some minutes, once"
elif [[ ! -f $venv/pyvenv.cfg ]]; then
  fail "found $venv, which is no virtual environment: move it away, $instead"
elif [[ -n $is_named && ! -d $ours ]]; then
  fail "found $venv, a virtual environment that this project hasn't made: move it away, $instead"
elif [[ ! -f $ours/installed.lock ]]; then
  why="made anew, as it isn't whole; some minutes"
elif cmp -s "$lock" "$ours/installed.lock"; then
  why="made anew, as its Python doesn't start; some minutes"
elif [[ -n $is_named ]]; then
  fail "found $venv, made from another state of $lock, expected this one: remove it, and it is made anew, $instead"
else
  why="made anew, as $lock has changed; some minutes"
fi

python=
for candidate in "${pythons[@]}"; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null; then
    python=$candidate
    break
  fi
done
[[ -n $python ]] || fail "no Python 3.11 found (looked for ${pythons[*]}): install it, or name it with PYTHON=path"
"$python" -c 'import ensurepip, venv' 2> /dev/null ||
  fail "$python can't make virtual environments: install its venv package (python3.11-venv)"
"$python" -c 'import ctypes, sys; sys.platform != "linux" or ctypes.CDLL("libgomp.so.1")' \
  2> /dev/null || fail "no libgomp.so.1, which LightGBM needs: install the package libgomp1"

echo "Virtual environment: $venv, from $lock ($why)"
rm -rf "$venv"
# First of all the sign that it is this project's: cut off, it is made anew next time.
mkdir -p "$ours"
"$python" -m venv "$venv"
