"""Weights: names, files, configurations, and fetching them."""
