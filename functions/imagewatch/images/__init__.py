"""Images: one version of an S3 object, what it contains, and what is derived from it."""
