"""Lambda: runs handlers in processes of a fork server, one for each concurrent invocation, over the Runtime API."""
