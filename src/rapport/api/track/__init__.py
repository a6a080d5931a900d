"""Rapport's own endpoints, under /track/v1."""
