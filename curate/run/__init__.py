"""A workspace opened for work: which stage follows which, what is left to do, and doing it."""
