"""What of the documentation is written by code: the reference, from what the program itself goes by."""
