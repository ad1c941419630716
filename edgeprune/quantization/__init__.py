"""The int8 file, and the ladder that repairs it."""
