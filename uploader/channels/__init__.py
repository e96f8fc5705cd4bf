"""Reads and writes channels and e-mail subscriptions."""
