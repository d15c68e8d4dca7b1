"""Search: proposes trials from the results so far."""
