"""Generates the JSON schemas of rules and the field tables of docs/watchlist.md from the field declarations."""
