"""A build: what it starts from, its artefact, its output directory and its work directory."""
