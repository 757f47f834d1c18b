"""The tests of the producer's side."""
