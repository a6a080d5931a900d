"""Constant Contact's endpoints, under /v3."""
