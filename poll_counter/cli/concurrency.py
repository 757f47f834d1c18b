"""`poll-counter concurrency publish`: the connected users, into a field that apps read."""

from __future__ import annotations

import argparse
from datetime import datetime

from poll_counter.control.concurrency import ConcurrencyPublisher, Published

from .control import control_api
from .terminal import Terminal

__all__ = ["publish_concurrency"]


async def publish_concurrency(
    options: argparse.Namespace, terminal: Terminal, *, testing_interval_s: float | None = None
) -> int:
    """Publish until the event is over.

    Args:
        options: what was typed.
        terminal: where to report.
        testing_interval_s: for tests against an emulator alone, instead of the minute.
    """
    async with control_api(options) as api:
        publisher = ConcurrencyPublisher(
            api,
            options.event,
            field=options.field,
            element_id=options.element,
            stat=options.stat,
            interval_s=options.interval,
            dry_run=options.dry_run,
            testing_interval_s=testing_interval_s,
        )
        await api.event(options.event)  # a wrong token is told now, and not in a minute
        terminal.note(
            f"poll-counter: the first number comes in {options.interval:g} s (Ctrl-C stops)"
        )
        async for report in publisher:
            if options.json:
                terminal.json(
                    {
                        "at": report.at,
                        "stat": report.stat,
                        "value": report.value,
                        "written": report.written,
                        "why": report.why,
                    }
                )
            else:
                terminal.say(_line(report), "" if report.error is None else "red")
    return 0


def _line(report: Published) -> str:
    at = datetime.fromtimestamp(report.at).astimezone().strftime("%H:%M:%S")
    value = "no number" if report.value is None else f"{report.stat} {report.value:,}"
    return f"{at}  {value}, " + ("written" if report.written else f"not written: {report.why}")
