#!/usr/bin/env bash
# What building and running the images needs, as root on Debian: buildah, podman and a base image,
# which is made from Debian's packages where none can be pulled. Fails where a machine can't have
# them. Prints the settings for scripts/image_check.sh as shell assignments; the rest goes to
# stderr. Base, layers and images lie in $IMAGE_STATE and are used again.
set -euo pipefail
state=${IMAGE_STATE:-/var/tmp/churn_spark-images}
official=python:3.11-slim-bookworm
made=localhost/$official

fail() {
  echo "error: $1" >&2
  exit 2
}

[[ $(id -u) == 0 ]] || fail "found user $(id -un), expected root: images are built as root here"
mkdir -p "$state"

missing=()
for package in buildah podman runc mmdebstrap; do
  command -v "$package" > /dev/null || missing+=("$package")
done
if ((${#missing[@]})); then
  command -v apt-get > /dev/null || fail "no ${missing[*]}, and no apt-get to install them with"
  echo "installing ${missing[*]}" >&2
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2 ||
    fail "could not install ${missing[*]}"
fi

# A machine without systemd and with both kinds of control groups: runc and cgroupfs. The limits
# are below those that a container may be forbidden to raise.
cat > "$state/containers.conf" << 'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
CONF
export CONTAINERS_CONF=$state/containers.conf

# Overlays don't lie on each other in every kernel; plain copies work everywhere.
for driver in overlay vfs; do
  store=(--root "$state/$driver" --runroot "$state/run-$driver" --storage-driver "$driver")
  podman "${store[@]}" info > /dev/null 2>&1 && break
done

base=
for image in "$official" "$made"; do
  if podman "${store[@]}" image exists "$image"; then base=$image; fi
done
if [[ -z $base ]] && timeout 60 podman "${store[@]}" pull -q "$official" > /dev/null 2>&1; then
  base=$official
fi
if [[ -z $base ]]; then
  echo "no base image can be pulled: making one from Debian's packages (a minute, once)" >&2
  sources=(/etc/apt/sources.list)
  [[ -s ${sources[0]} ]] || sources=(/etc/apt/sources.list.d/debian.sources)
  # As in the official image: `python` and pip are there, and pip may install.
  mmdebstrap --quiet --mode=root --variant=minbase \
    --include=python3,python3-venv,python3-pip,ca-certificates \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -f "$1/usr/lib/python3.11/EXTERNALLY-MANAGED"' \
    --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python"' \
    --customize-hook='for i in 1 2 3 4 5 6 7 8 9; do mkdir -p "$1/usr/share/man/man$i"; done' \
    bookworm "$state/base.tar" "${sources[@]}" >&2 || fail "the base could not be made"
  podman "${store[@]}" import -q \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$state/base.tar" "$made" > /dev/null ||
    fail "the base could not be imported"
  rm -f "$state/base.tar"
  base=$made
fi

# A kernel or a sandbox may refuse what root may do elsewhere: better known before the build.
podman "${store[@]}" run --rm --network=host --pull=never --read-only --memory=512m "$base" \
  python -c '' >&2 || fail "no container runs on this machine: what refused it is above"

echo "export CONTAINERS_CONF=$CONTAINERS_CONF BASE_IMAGE=$base IMAGE_STORE='${store[*]}'"
