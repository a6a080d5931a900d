"""The web pages: search, contacts, campaigns, overview, tokens, applications and sign-in."""
