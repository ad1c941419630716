"""Fine-tuning, what shapes weights meanwhile, and scores."""
