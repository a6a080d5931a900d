"""Turn webhooks of email providers and bounce mail into events. Independent of the store."""
