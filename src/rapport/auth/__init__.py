"""Who may: keys, tokens, scopes and roles, limits."""
