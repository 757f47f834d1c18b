"""Let one player in ten vote, and know how far the count can be off."""

from poll_counter.sampling import interval
from simulator.scenario import Scenario
from simulator.virtual import run_virtual

PLAYERS, RATE = 20_000, 0.1

report = run_virtual(Scenario(players=PLAYERS, rounds=3, round_time=10.0, sample_rate=RATE, seed=3))
print(f"{PLAYERS:,} players, of whom {RATE:.0%} vote: {report.votes_accepted:,} votes in 3 rounds")
for row in report.rows:
    print(f"round {row.round}: {row.counted:,} players, {row.low:,} to {row.high:,}")
assert report.ok

print("the same error for every audience: 95 % of counts lie within")
for votes in (100, 1_000, 10_000, 100_000):
    low, high = interval(votes, RATE)
    players = votes / RATE
    off = max(players - low, high - players) / players
    print(f"{votes:7,} votes: {off:5.1%} of {players:,.0f} players")
