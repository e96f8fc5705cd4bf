"""Alerts: what people are sent, how often, and in which form."""
