"""The only way in: from lines to durable activities."""
