"""Bounce mail: delivery reports, complaints and automatic replies, read from raw messages."""
