"""Rapport: what did this contact do, when?"""

__version__ = "0.2.0"
