"""The load test over many machines, but for Locust itself."""
