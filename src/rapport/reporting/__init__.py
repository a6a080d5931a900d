"""The only way out: the reports, as types."""
