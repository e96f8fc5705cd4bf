"""Imagewatch on one machine: the stack on an AWS emulator, the samples and the viewer. Never deployed."""

STACK_NAME = "imagewatch"
OPERATOR_EMAIL = "operator@example.com"
"""The recipient of the alerts, and the sample operator who can sign in."""
OPERATIONS_EMAIL = "operations@example.com"
"""The recipient of the alarms. Alerts go to another address."""
