"""The domain of Imagewatch: what an image, a finding, a rule and an alert are. It ships with every function.

Modules directly in this package are pure: no boto3, no environment. Only `imagewatch.aws` talks to AWS.
"""
