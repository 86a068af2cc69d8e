"""Video and image files."""
