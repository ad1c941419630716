"""Files as edgeprune reads and writes them: whole or not at all, and with an error that names the path."""

from edgeprune.files.archives import refuse_many_members
from edgeprune.files.places import claim_output, refuse_ending, refuse_existing
from edgeprune.files.reading import (
    IN_MEMORY,
    FileSource,
    hash_bytes,
    name_file,
    read_file,
    refuse_special,
)
from edgeprune.files.whole import sync_entry, sync_folder, whole_directory, whole_file, write_file
from edgeprune.files.writing import writing

__all__ = [
    "IN_MEMORY",
    "FileSource",
    "claim_output",
    "hash_bytes",
    "name_file",
    "read_file",
    "refuse_ending",
    "refuse_existing",
    "refuse_many_members",
    "refuse_special",
    "sync_entry",
    "sync_folder",
    "whole_directory",
    "whole_file",
    "write_file",
    "writing",
]
