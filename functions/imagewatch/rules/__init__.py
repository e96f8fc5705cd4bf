"""Rules: the watchlist, and which of its rules an image matches."""
