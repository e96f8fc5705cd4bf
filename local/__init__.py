"""Imagewatch on one machine: the stack on an AWS emulator, the samples and the viewer. Never deployed."""

STACK_NAME = "imagewatch"
OPERATIONS_EMAIL = "operations@example.com"
"""The recipient of the alarms. Alerts go to another address."""
