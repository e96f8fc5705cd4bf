"""The DynamoDB tables: one module for each."""
