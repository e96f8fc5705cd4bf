"""Reads, checks, renders and stores rules for the command line."""
