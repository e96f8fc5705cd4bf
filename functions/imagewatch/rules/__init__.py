"""Rules: what the watchlist says, and what of it an image matches."""
