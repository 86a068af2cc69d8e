"""One writer a consumer's contract, and what they share."""
