"""The records of all layer kinds, one module for each sort of layer, and in `rules.py` what a record is.

The registry stands in this package so that Python itself fills it: whoever imports `rules.RULES` has run this
file, and with it all records, before.
"""

from edgeprune.graph.layers import activations as activations
from edgeprune.graph.layers import attention as attention
from edgeprune.graph.layers import convolutions as convolutions
from edgeprune.graph.layers import dense as dense
from edgeprune.graph.layers import einsum as einsum
from edgeprune.graph.layers import kept as kept
from edgeprune.graph.layers import merging as merging
from edgeprune.graph.layers import normalization as normalization
from edgeprune.graph.layers import operations as operations
from edgeprune.graph.layers import passing as passing
from edgeprune.graph.layers import rearranging as rearranging
from edgeprune.graph.layers import recurrent as recurrent
from edgeprune.graph.layers import reductions as reductions
from edgeprune.graph.layers import reshaping as reshaping
from edgeprune.graph.layers import spectral as spectral
from edgeprune.graph.layers import wrappers as wrappers
