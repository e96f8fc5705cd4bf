"""The search for functions: the same code as the client's. A function passes a library and the key of the cursors."""

from imagewatch.search.find import MAX_SIZE, Library, Match, Results, Search, days, find, vocabulary

__all__ = ["MAX_SIZE", "Library", "Match", "Results", "Search", "days", "find", "vocabulary"]
