"""Nodes as processes, which can be killed: a show is run over them, and judged."""
