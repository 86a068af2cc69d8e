"""How good models and finished runs are, against known truth."""
