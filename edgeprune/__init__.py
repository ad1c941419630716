"""edgeprune: prune a trained Keras model until it provably fits a device."""

__version__ = "0.1.0"
