"""The Control API over HTTP."""
