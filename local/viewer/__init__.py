"""The page on http://localhost:8080: a window into the local stack's tables, executions and mailbox."""

from local.viewer.app import make_app

__all__ = ["make_app"]
