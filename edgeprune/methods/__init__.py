"""Ways to reach a budget, one file each behind one Protocol; the loop, and the choice between them.

Importing the package fills the registry, in the order in which methods have their turn.
"""

from edgeprune.methods import dead_channels, layers, low_rank, channels, sparsity, clustering  # noqa: F401, I001
