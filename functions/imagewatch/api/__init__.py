"""The HTTP API: what its operations take and return, who may call them, and how they report problems."""
