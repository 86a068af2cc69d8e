"""Files as such: atomic writes, digests, CSV, and facts about the machine."""
