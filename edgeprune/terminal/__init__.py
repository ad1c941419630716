"""What people read in a terminal: tables, results, progress. Plain values in, text out; knows no click."""
