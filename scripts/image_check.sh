#!/usr/bin/env bash
# Builds the images and runs their tests against them: `make image-check`.
#   usage: image_check.sh [service] [jobs]     default: service; PYTHON has the tests' packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}

settings=$(scripts/image_base.sh)
eval "$settings"
read -ra store <<< "$IMAGE_STORE"

# The machine's certificates and pip's settings are lent to the build and don't stay in the image.
lent=()
for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
  [[ -f $file ]] && lent+=(--volume "$file:$file:ro")
done
# Copies of whole file systems don't pay for steps that are kept.
keep=--layers
[[ $IMAGE_STORE == *vfs* ]] && keep=--layers=false

targets=("${@:-service}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
  started=$SECONDS
  # HEALTHCHECK is Docker's: the other format drops it.
  buildah "${store[@]}" build --isolation chroot --network host --pull=never --force-rm \
    --format docker "$keep" "${lent[@]}" --build-arg BASE_IMAGE="$BASE_IMAGE" \
    --target "$target" --tag "localhost/churn-$target" . > "$log" 2>&1 || {
    tail -n 40 "$log" >&2
    echo "error: the image of the $target could not be built: its log ends above" >&2
    exit 1
  }
  bytes=$(podman "${store[@]}" image inspect --format '{{.Size}}' "localhost/churn-$target")
  echo "image of the $target: built in $((SECONDS - started)) s, $((bytes / 1000000)) MB"
done

wanted=${targets[*]}
PODMAN="podman $IMAGE_STORE" "$python" -m pytest -q -m image tests/image -k "${wanted// / or }"
# What a build of today may use again stays; the rest would fill the disk.
podman "${store[@]}" image prune --force --filter until=168h > /dev/null
