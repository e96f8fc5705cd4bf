"""EventBridge: the default event bus and scheduled rules."""
