"""Tests of the studio in the browser."""
