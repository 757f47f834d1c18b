"""Make the hidden poll on the producer's side, and let `check` say what would spoil the count."""

import asyncio

from poll_counter.control import ControlApi, hidden_poll
from simulator.platform import Platform

EVENT = {"name": "Friday's show", "start_mode": "manual", "duration": 3600}
BY_HAND = {  # somebody made the poll in a hurry
    **hidden_poll.attributes(),
    "max_votes_per_user": 1,
    "reveal_results_mode": "close",
    "duration": 60,
}


async def check(api: ControlApi, event_id: str) -> list[hidden_poll.Finding]:
    found = await hidden_poll.check(api, event_id, rounds=10)
    errors = sum(finding.severity == "error" for finding in found)
    print(f"{errors} errors, {len(found) - errors} warnings")
    for finding in found:
        if finding.element_id is not None:  # about the poll, not about the app's spec
            print(f"- {finding.code}: {finding.reason} {finding.mend}")
    return found


async def main() -> None:
    # The platform is the simulator's. Yours: async with ControlApi("eu") as api
    async with Platform() as platform, platform.api() as api:
        event = await api.create_event(platform.project_id, EVENT)
        await api.create_element(event.id, BY_HAND)
        found = await check(api, event.id)

        await hidden_poll.fix(api, found)
        await check(api, event.id)

        await api.start_event(event.id)
        for _ in range(2):  # twice is once: what is there is kept
            (poll,) = await hidden_poll.create(api, event.id, publish=True)
            print(f"one poll, {poll.state}")


asyncio.run(main())
