"""Exports on the Hugging Face hub."""
