"""The OAuth 2.0 authorization server. The protocol is oauthlib's; what is stored and for how long is decided here."""
