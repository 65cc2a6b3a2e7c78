#!/usr/bin/env bash
# The README's commands for users, taken from its text, in a container that has what the README
# asks for and nothing else: Python 3.11, make and libgomp1 on Debian. `make readme-check`, as root
# on Debian.
# Prints each line with the seconds since the first command began, and how long it took until the
# first list was on the screen; fails where a command fails or that took longer than LIMIT seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
limit=${LIMIT:-300}

settings=$(scripts/image_base.sh)
eval "$settings"
read -ra store <<< "$IMAGE_STORE"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Those that are only shown there; each must be in the README.
left_out=('make run EVENTS=path')

# What a machine knows of its network is lent: certificates, and where pip finds packages.
lent=()
for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
  [[ -f $file ]] && lent+=(--volume "$file:$file:ro")
done

# Commands of the code blocks of the part of the README whose heading begins so.
commands_of() {
  awk -v heading="$1" '
    /^```/ { inside = !inside; next }
    !inside && /^#/ { here = index($0, heading) == 1 }
    inside && here { sub(/ +# .*/, ""); print }' README.md
}
{ commands_of '# churn_spark'; commands_of '## The list, the service'; } > "$folder/commands"
for command in 'make demo' 'make notebooks' "${left_out[@]}"; do
  grep -q "^$command" "$folder/commands" || {
    echo "error: found no command $command in README.md, expected it: $0 is out of date" >&2
    exit 2
  }
done
for command in "${left_out[@]}"; do
  sed -i "\|^$command|d" "$folder/commands"
done

buildah "${store[@]}" build --isolation chroot --network host --pull=never --layers --force-rm --quiet \
  "${lent[@]}" --tag localhost/churn-bare - > "$folder/log" 2>&1 << IMAGE || { cat "$folder/log" >&2; exit 1; }
FROM $BASE_IMAGE
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make libgomp1
IMAGE

git clone --quiet . "$folder/churn_spark"
cat > "$folder/walk" << 'WALK'
# The file of commands, one after the other, as somebody would type them.
cd /root/churn_spark
TIMEFORMAT='(%0R s; of one core %0U s, and %0S s of the system)'
while read -r command; do
  echo "\$ $command"
  if [[ $command == *'make serve' ]]; then
    bash -c "$command" < /dev/null & server=$!
    python3 -c '
import sys, time, urllib.request
for _ in range(60):
    try:
        sys.exit(urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=5).status != 200)
    except OSError as error:
        told = error
        time.sleep(1)
sys.exit(f"error: the service does not answer after a minute: {told}")' || exit 1
    kill "$server" || { echo "error: $command has ended by itself"; exit 1; }
    wait "$server"
  else
    time bash -c "$command" < /dev/null || { echo "error: $command ended with code $?"; exit 1; }
  fi
done < /root/commands
WALK

started=$SECONDS
echo "on $(getconf _NPROCESSORS_ONLN) cores, load $(cut -d ' ' -f 1-3 /proc/loadavg), in a container with an empty home"
podman "${store[@]}" run --rm --network=host --pull=never "${lent[@]}" \
  --volume "$folder/churn_spark:/root/churn_spark" --volume "$folder/commands:/root/commands:ro" \
  --volume "$folder/walk:/root/walk:ro" localhost/churn-bare bash /root/walk 2>&1 |
  while IFS= read -r line; do
    printf '%4d s  %s\n' $((SECONDS - started)) "$line"
  done | tee "$folder/said"

waited=$(awk '/The list of/ { print $1; exit }' "$folder/said")
[[ -n $waited ]] || { echo 'error: found no line "The list of …" in what make demo has printed' >&2; exit 1; }
echo "first list on the screen after $waited s, packages and jars included; the commands of the" \
  "README's first part, and of its list, service and notebooks, have run, in" \
  "$((SECONDS - started)) s; left out: ${left_out[*]}"
if ((waited > limit)); then
  echo "error: found $waited s until the first list, expected at most $limit" >&2
  exit 1
fi
