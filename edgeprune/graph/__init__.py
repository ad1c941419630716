"""The layer graph in numpy: channels with names, one rule per layer kind, the cost of a graph."""
