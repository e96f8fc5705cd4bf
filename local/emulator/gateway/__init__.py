"""The HTTP endpoint: identifies each request, applies faults and permissions, and passes it to a service."""
