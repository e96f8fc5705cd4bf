"""Runs the real handlers: a fork server, one process per concurrent invocation, and the documented Lambda Runtime API."""
