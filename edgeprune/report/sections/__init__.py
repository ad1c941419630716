"""The sections of pages, one stage a file."""
