"""Ops that a runtime has no kernel for, in others that it has and that compute the same."""
