"""Running an artefact and measuring it, each runtime in a process of its own."""
