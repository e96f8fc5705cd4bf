"""The viewer: a web page that shows the local stack's images, executions and e-mails."""

from local.viewer.app import make_app

__all__ = ["make_app"]
