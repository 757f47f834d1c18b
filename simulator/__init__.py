"""A local platform and a crowd of fake players: proves the counts, and tests the load.

`python -m simulator` runs a whole show; `simulator/PROTOCOL.md` is the live channel's text.
"""
