"""The only place that imports boto3 or reads the environment: one module for each thing that Imagewatch talks to."""
