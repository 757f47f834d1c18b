"""The studio: a page on which a person runs a show by hand, and sees it counted.

One process serves the page and holds a platform on loopback. Whatever the page shows happens for
real: its buttons go through the Control API, the crowd and the phone are `PollCounter`s on the
live channel, and the truth is read off the platform's own log.
"""

from __future__ import annotations
