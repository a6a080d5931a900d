"""The vendor's own routes."""
