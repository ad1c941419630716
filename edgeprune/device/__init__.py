"""Devices: profiles, estimates of what a model costs on them, and budget checks."""
