"""One writer a consumer contract."""
