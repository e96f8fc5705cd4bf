"""Writes the OpenAPI document: docs/openapi.json for readers, and a compact copy that the API returns."""
