"""Draws the pictures in docs/ from the workflow's definition and the template."""
