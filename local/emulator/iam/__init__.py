"""Evaluates IAM policies as AWS does."""
