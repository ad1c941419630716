"""One module for each command: a request in, a result out. No click, no printing."""
