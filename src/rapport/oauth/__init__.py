"""The OAuth 2.0 authorization server. oauthlib implements the protocol; this package stores its data."""
