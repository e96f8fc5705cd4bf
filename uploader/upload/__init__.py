"""Finds image files, uploads them, and follows their analysis."""
