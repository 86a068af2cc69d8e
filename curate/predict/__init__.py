"""The models alone, on images and videos, without a workspace."""
