"""What a show of 2.4 million players asks of a platform: arithmetic from measured figures.

Run it:  python examples/toward_the_internet.py
"""

from math import ceil

from poll_counter.facts import ResultsTold
from poll_counter.sampling import interval
from poll_counter.wire import encode_fact

# The show: the largest live trivia on record had some 2.4 million players (HQ Trivia, 2018).
PLAYERS = 2_400_000
ROUNDS = 10
SPREAD_S = 10.0  # over which the votes of a round are spread
AT_ONCE_S = 1.0  # what the same takes without a spread: everybody answers to one message
RUSH, RUSH_S = 0.8, 120.0  # the share that joins in the last two minutes
RECONNECT_S = 5.0  # the first reconnect is delayed by up to this
TALLIES_PER_S = 2.0  # results are told so often while they change
SAMPLE_RATE = 0.01

# One core: python -m tests.benchmarks.platform_costs. Put in your own platform's.
CONNECTION_US = 493.0  # a handshake, hello and welcome
VOTE_US = 219.0  # taken and answered
TALLY_US = 21.4  # one frame to one player
CONNECTION_KIB = 17.8
CORE_USE_MAX = 0.6  # of a core's time; the rest is for what nobody foresaw
# One node
CONNECTIONS_MAX = 20_000  # the default of simulator/limits.py
HEADERS = 4 + 22 + 40  # bytes around a message: WebSocket, TLS, TCP/IP


def row(what: str, per_s: float, us: float, gbit_per_s: float | None = None) -> None:
    cores = ceil(per_s * us / 1e6 / CORE_USE_MAX)
    wire = "" if gbit_per_s is None else f"{gbit_per_s:10.1f}"
    print(f"{what:<36}{per_s:>12,.0f}{cores:>10,}{wire}".rstrip())


nodes = ceil(PLAYERS / CONNECTIONS_MAX)
print(f"{PLAYERS:,} connections: {nodes} nodes of {CONNECTIONS_MAX:,}", end=", ")
print(f"{CONNECTIONS_MAX * CONNECTION_KIB / 2**10:,.0f} MiB each\n")
print(f"{'':<36}{'a second':>12}{'cores':>10}{'Gbit/s':>10}")
row("players arrive, last two minutes", PLAYERS * RUSH / RUSH_S, CONNECTION_US)
row(f"all reconnect within {RECONNECT_S:g} s", PLAYERS / RECONNECT_S, CONNECTION_US)
row(f"votes over {SPREAD_S:g} s", PLAYERS / SPREAD_S, VOTE_US)
row("votes without a spread", PLAYERS / AT_ONCE_S, VOTE_US)
tally = encode_fact(ResultsTold("6396746d-5ac5-41e5-9d74-3b5d8a5f3d9e", (PLAYERS,) * ROUNDS))
gbit = PLAYERS * (len(tally) + HEADERS) * 8 / 1e9
for times in (TALLIES_PER_S, 1.0):
    row(f"tallies out, {times:g} a second", PLAYERS * times, TALLY_US, gbit * times)
row(f"votes over {SPREAD_S:g} s, sampled", PLAYERS * SAMPLE_RATE / SPREAD_S, VOTE_US)
row("partial tallies in, from all nodes", nodes * TALLIES_PER_S, VOTE_US)

votes = round(PLAYERS * SAMPLE_RATE)
low, high = interval(votes, SAMPLE_RATE)
print(f"\nvotes of the show: {PLAYERS * ROUNDS:,}; sampled {votes * ROUNDS:,},")
print(f"which tell {PLAYERS:,} players as {low:,} to {high:,}")
