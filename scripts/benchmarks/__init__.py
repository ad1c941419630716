"""What the benchmark of pruning is made of; `scripts/bench_pruning.py` runs it."""
