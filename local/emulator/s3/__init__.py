"""S3: form uploads with a policy, and event notifications."""
