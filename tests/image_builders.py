"""How the tests of the images call podman; `scripts/image_check.sh` says which one."""

from __future__ import annotations

import os
import subprocess


def podman(*arguments: str, is_checked: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman; what it says on its two outputs is in the result."""
    command = [*os.environ["PODMAN"].split(), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not is_checked, done.stderr
    return done
