"""CloudWatch Logs: storage of log events, and filter patterns."""
