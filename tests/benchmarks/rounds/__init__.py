"""The same round, by this library and by others: what a round costs, in processor time.

A round: the close of a trivia is pushed to N clients, N votes come back, each is acknowledged, one
tally is pushed to all. Server and clients share one loop and one thread.
"""
