"""Taking videos out of a workspace and its exports, and proving it."""
