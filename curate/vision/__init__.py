"""Pixels without networks."""
