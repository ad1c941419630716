"""Files to Keras 3 models, and back; no code from a file runs."""
