"""curate: turn a list of surgical videos into clean pretraining shards."""

__version__ = "0.1.0"
