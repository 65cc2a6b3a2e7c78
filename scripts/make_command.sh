#!/usr/bin/env bash
# Writes the command churn-spark into a virtual environment: it runs the code of this checkout.
#   usage: make_command.sh VENV
# An install into the environment would not be of the lock. Nothing is written where it is there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$(cd "$1" && pwd)
command=$venv/bin/churn-spark

# -P: no file of the folder that it is called from stands for a library.
text="#!/usr/bin/env bash
# Written by make setup: the code of the checkout, with the packages of this environment.
export PYTHONPATH=$(printf %q "$root")\${PYTHONPATH:+:\$PYTHONPATH}
exec $(printf %q "$venv/bin/python") -P -m jobs._main \"\$@\""

[[ -x $command && $(< "$command") == "$text" ]] && exit 0
printf '%s\n' "$text" > "$command.part"
chmod 755 "$command.part"
mv "$command.part" "$command"
