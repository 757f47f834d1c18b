"""Certificates for tests: an authority of their own, and servers that it vouches for."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

__all__ = ["Authority"]

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority that nobody else trusts; skips the test where openssl is missing.

    Args:
        folder: where its files are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._make("ca", "-subj", "/CN=tests of poll_counter", "-days", "2")

    def trusting(self) -> ssl.SSLContext:
        """Make a client's context that trusts this authority."""
        return ssl.create_default_context(cafile=self._folder / "ca.pem")

    def served(self, name: str) -> ssl.SSLContext:
        """Make a server's context; see `present`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.present(context, name)
        return context

    def present(self, context: ssl.SSLContext, name: str) -> None:
        """Let a server show a certificate for a name, such as `IP:127.0.0.1`, from now on."""
        stem = name.replace(":", "-")
        if not (self._folder / f"{stem}.pem").exists():
            signed = ["-CA", str(self._folder / "ca.pem"), "-CAkey", str(self._folder / "ca.key")]
            names = ["-addext", f"subjectAltName={name}"]
            leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
            self._make(stem, "-subj", "/CN=a server", "-days", "2", *names, *leaf, *signed)
        context.load_cert_chain(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")

    def _make(self, stem: str, *options: str) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("there is no openssl command to make a certificate with")
        out = ["-keyout", f"{self._folder / stem}.key", "-out", f"{self._folder / stem}.pem"]
        subprocess.run(
            [openssl, "req", "-x509", *KEY, *out, *options], check=True, capture_output=True
        )
