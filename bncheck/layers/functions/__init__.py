"""Pairs of NumPy functions: found by name, their arguments bound by role, confirmed by a trial call."""
