"""Webhooks of email providers: one module per provider, with its authenticity check, its parser and its mapping."""
