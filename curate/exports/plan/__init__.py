"""Which frames of which videos an export takes, and their classes."""
