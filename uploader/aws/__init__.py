"""Reaches AWS: sessions and clients, the stack's outputs, DynamoDB items, and errors as sentences."""
