"""A load test over many machines: a leader with the platform, followers with parts of the crowd.

Who carries the messages between them, and starts the users, is not said here: see `locustfile`.
"""
