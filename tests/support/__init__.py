"""Builders, doubles and helpers for the tests."""
