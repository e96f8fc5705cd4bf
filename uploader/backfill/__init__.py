"""Previews rules on past images and runs backfills."""
