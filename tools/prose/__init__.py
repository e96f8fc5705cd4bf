"""Finds words that the glossary rules out, and mannered ones, in the prose of code and documents."""
