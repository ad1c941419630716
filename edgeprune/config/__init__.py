"""Files that a user writes: recipes, options and TOML tables, read into frozen dataclasses."""
