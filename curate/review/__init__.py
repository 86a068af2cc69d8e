"""Frames laid out for people to decide."""
