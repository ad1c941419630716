"""Many builds: what is lost at which budget, on which device. Only `tuning.py` knows Ray."""
