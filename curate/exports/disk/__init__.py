"""Files of an export in the making: staging, checksums, long files."""
