"""Imagewatch on one machine: the stack on an AWS emulator, the samples and the viewer. Never deployed."""

STACK_NAME = "imagewatch"
