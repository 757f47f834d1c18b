"""Count on the platform itself: by way of its own JavaScript SDK, which a bridge brings here.

The platform's wire protocol is not public; its Interaction SDK is what apps use. `bridge.mjs`,
which comes with this package, runs beside that SDK, in a page or a Node.js process, and speaks the
live channel with a counter in Python:

```python
from poll_counter import ContentType, PollCounter, Recognise
from poll_counter.bridge import BridgeTransport, NodeHost

host = NodeHost("app", sdk=["@monterosa/sdk-core", "@monterosa/sdk-interact-kit"], ...)
recognise = Recognise(hidden_poll=ContentType("hidden-poll"))

async with PollCounter(transport=BridgeTransport(host), recognise=recognise, ...) as counter:
    ...
```
"""

from .node import NodeHost
from .page import PageHost
from .transport import BridgeTransport

__all__ = ["BridgeTransport", "NodeHost", "PageHost"]
