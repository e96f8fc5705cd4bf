"""The sub-commands of `imagewatch`, one module for each group."""
