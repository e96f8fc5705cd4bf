"""Replaces parts of moto that are slow, not thread-safe or unlike AWS."""
