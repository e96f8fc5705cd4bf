"""API Gateway HTTP APIs: routes, JWT authorizers, CORS and throttling, as the deployed template defines them."""
