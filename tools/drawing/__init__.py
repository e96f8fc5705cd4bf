"""The pictures of the documentation, drawn from the workflow's definition and the template."""
