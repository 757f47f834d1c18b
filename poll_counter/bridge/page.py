"""A web page as the bridge's host: a webview of the app, or a browser on the same machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poll_counter.errors import MisuseError

from .door import File

__all__ = ["PageHost"]

BRIDGE = Path(__file__).with_name("bridge.mjs")
MODULE = "text/javascript; charset=utf-8"
PAGE = """\
<!doctype html>
<meta charset="utf-8">
<title>poll_counter</title>
"""
SNIPPET = """\
<script type="module">
import {{ bridge }} from {bridge};
import * as sdk from {sdk};
bridge(sdk, {options});
</script>
"""


@dataclass(frozen=True)
class PageHost:
    """Runs the bridge in a web page that the app shows, or hides.

    The page may be the bridge's own: `BridgeTransport.url` is its address, and `sdk` one ES module
    with the SDK's functions, as a bundler makes it. Or it is a page of the app, which already has
    the SDK: it loads `BridgeTransport.snippet`, and its origin is one of `origins`.

    Args:
        sdk: a file with one ES module, for the bridge's own page.
        configure: what the SDK's `configure` is called with, such as `host` and `projectId`;
            empty where a page of the app has called it.
        origins: the origins of the app's own pages, such as `https://app.example`; `null` is that
            of a page loaded from a file, and of many others: take it only if need be.

    Raises `MisuseError` where there is no such file, and without both `sdk` and `origins`.

    For example:

    ```python
    PageHost("sdk.mjs", configure={"host": "cdn.example", "projectId": "..."})
    ```
    """

    sdk: str | os.PathLike[str] | None = None
    configure: Mapping[str, Any] = field(default_factory=dict)
    origins: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.sdk is None and not self.origins:
            raise MisuseError("pass sdk=, a module for the bridge's own page, or origins= of yours")
        if self.sdk is not None and not Path(self.sdk).is_file():
            raise MisuseError(f"there is no file {self.sdk}; name one ES module with the SDK")
        if isinstance(self.origins, str):
            raise MisuseError("origins= is a list of origins, such as ['https://app.example']")

    def snippet(self, base: str, websocket_url: str) -> str:
        """What a page of the app loads; `./sdk.mjs` stands for wherever it has the SDK from."""
        return self._snippet(f"{base}bridge.mjs", "./sdk.mjs", websocket_url)

    def files(self, websocket_url: str) -> Mapping[str, File]:
        """Name -> what the page loads, and the page itself."""
        files = {"bridge.mjs": File(MODULE, BRIDGE.read_bytes())}
        if self.sdk is not None:
            page = PAGE + self._snippet("./bridge.mjs", "./sdk.mjs", websocket_url)
            files["sdk.mjs"] = File(MODULE, Path(self.sdk).read_bytes())
            files[""] = File("text/html; charset=utf-8", page.encode())
        return files

    def _snippet(self, bridge: str, sdk: str, websocket_url: str) -> str:
        options = {"url": websocket_url}
        if self.configure:
            options["configure"] = dict(self.configure)  # type: ignore[assignment] # JSON
        return SNIPPET.format(bridge=_script(bridge), sdk=_script(sdk), options=_script(options))


def _script(value: object) -> str:
    """JSON that may stand in a script: no `<` in it ends the script."""
    return json.dumps(value).replace("<", "\\u003c")
