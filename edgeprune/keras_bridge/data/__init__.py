"""Data: read from wherever they are, checked against a model, split."""
