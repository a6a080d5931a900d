"""The HTTP API: Constant Contact's v3 reporting endpoints, recording, and operations."""
