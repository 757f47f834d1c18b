"""The producer's side of the platform."""
