"""Turn what happened elsewhere (provider webhooks, bounce mail) into activities. Knows no store."""
