"""Use cases: pure rules plus tables and channels."""
