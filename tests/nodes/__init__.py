"""Several nodes that show the same, through a real Redis that the tests start."""
