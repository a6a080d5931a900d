"""Authentication and authorization: keys, tokens, sessions, scopes, roles and rate limits."""
