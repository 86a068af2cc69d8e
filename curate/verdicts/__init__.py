"""From probabilities to verdicts: the trim rule, and what people decided."""
