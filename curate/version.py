"""The version of curate."""

__version__ = "0.2.0"
