"""Checking an export against its own record."""
