"""Mutation tests: changes one place at a time and checks that a test fails. `make mutants` runs it."""
