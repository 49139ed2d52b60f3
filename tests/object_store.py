"""A real S3 server over TLS, signed by an authority that nobody knows, on the address where containers reach us."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from running_stack import docker, eventually, free_ports

KEY, SECRET = "AKTESTING", "a-secret-of-the-store"
_RCLONE = Path(sys.executable).with_name("rclone")


@dataclass
class ObjectStore:
    """rclone serves `folder`: each folder of its objects is a bucket, and each object a file."""

    folder: Path
    address: str
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    def start(self) -> None:
        words = ["--config", "/dev/null", "serve", "s3", "--addr", f"{self.address}:{self.port}"]
        tls = [
            "--cert",
            str(self.folder / "server.crt"),
            "--key",
            str(self.folder / "server.key"),
        ]
        self._run([str(_RCLONE), *words, *tls, "--auth-key", f"{KEY},{SECRET}", str(self.objects)])

    def fail(self) -> None:
        """Answer every request with 503 from now on."""
        self.stop()
        program, files = Path(__file__).with_name("failing_store.py"), ("server.crt", "server.key")
        where = [self.address, str(self.port), *(str(self.folder / name) for name in files)]
        self._run([sys.executable, str(program), *where])

    def _run(self, argv: list[str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self._answers, 60, "the object store takes connections")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def look_again(self) -> None:
        """Let it see what a test did to the files behind its back."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def settings(self, bucket: str, prefix: str) -> dict[str, Any]:
        """The section `backup` for a repository in it."""
        return {
            "repository": f"s3://{bucket}/{prefix}",
            "encryption": True,
            "endpoint": f"{self.address}:{self.port}",
            "ca_file": str(self.folder / "ca.crt"),
            "key_file": str(self.folder / "key"),
            "secret_file": str(self.folder / "secret"),
        }

    def _answers(self) -> bool:
        import socket

        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with closing(socket.socket()) as probe:
            return probe.connect_ex((self.address, self.port)) == 0


def make_store(folder: Path, *buckets: str) -> ObjectStore:
    """A server with its certificates, keys and buckets; not started yet."""
    template = "{{(index .IPAM.Config 0).Gateway}}"
    address = docker("network", "inspect", "bridge", "--format", template).out.strip()
    authority = trustme.CA()
    certificate = authority.issue_cert(address)
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    (folder / "key").write_text(f"{KEY}\n")
    (folder / "secret").write_text(f"{SECRET}\n")
    for bucket in buckets:
        (folder / "objects" / bucket).mkdir(parents=True)
    return ObjectStore(folder, address, free_ports(1)[0])
