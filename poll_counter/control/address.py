"""Where the Control API is: one of the platform's environments, or any other address.

The token is sent there, so an address has to be encrypted or this machine's own.
"""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlsplit

from poll_counter.errors import MisuseError
from poll_counter.transport import is_loopback

__all__ = ["API", "ENVIRONMENTS", "base_url", "segment"]

API = "/api/v2"
"""The path under which the Control API stands (contract section 2)."""
ENVIRONMENTS = {
    "eu": "https://studio.monterosa.cloud",
    "us": "https://studio-us.monterosa.cloud",
    "dev": "https://studio-dev.monterosa.cloud",
}
"""The platform's environments (contract section 2)."""


def base_url(base: str, *, allow_plain: bool = False) -> str:
    """Give the address that the paths of the Control API are put behind; it ends in `/api/v2`.

    Args:
        base: `eu`, `us`, `dev` or a URL. Its path is kept; `/api/v2` may be there or not.
        allow_plain: allow `http://` to other hosts: anybody on the way reads the token.

    Raises `MisuseError` for what cannot work. It names no part of the address that may be secret.
    """
    parts = _parts(ENVIRONMENTS.get(base, base))
    host = parts.hostname if parts else None
    if parts is None or not host:
        names = ", ".join(repr(name) for name in ENVIRONMENTS)
        raise MisuseError(
            f"that is no address of a Control API; pass one of {names}, or a URL such as "
            "'https://host'"
        )
    if "@" in parts.netloc:
        raise MisuseError("an address holds no user and password; pass token= instead")
    if parts.query or parts.fragment or base.endswith(("?", "#")):
        raise MisuseError("an address ends with its path; leave out what begins with ? or #")
    if parts.scheme == "http" and not (is_loopback(host) or allow_plain):
        raise MisuseError(
            f"http:// is not encrypted, and {host} is not this machine; use https://, or pass "
            "allow_plain=True where the network between can be trusted with the token"
        )
    authority = f"[{host}]" if ":" in host else host
    if parts.port not in {None, {"http": 80, "https": 443}[parts.scheme]}:
        authority += f":{parts.port}"
    path = quote(parts.path.rstrip("/").removesuffix(API), safe="/%")
    return f"{parts.scheme}://{authority}{path}{API}"


def _parts(url: str) -> SplitResult | None:
    """The parts of an address over HTTP; None where it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.port != 0  # a port that is no number raises
    except ValueError:
        return None
    host = parts.hostname or ""
    usable = usable and host.isascii() and host.isprintable() and " " not in host
    return parts if usable and parts.scheme in {"http", "https"} else None


def segment(id_: str, what: str) -> str:
    """An id as a part of a path; raises `MisuseError` for what cannot be an id.

    Args:
        id_: the platform's id, a UUID (contract section 4); others are let through.
        what: whose id it is, for the message.
    """
    if id_ in {"", ".", ".."}:
        raise MisuseError(f"{id_!r} is no id of {what}; copy it from Studio or from the API")
    return quote(id_, safe="")
