"""Cycles of an image, estimated: the blocks that ran in qemu, priced by a published timing model of the core.

qemu counts instructions; how many cycles they take depends on loads that are waited for, branches, pairs that
are issued together and the beats of vectors. Memory is taken to answer at once: tightly coupled, or cached.
"""
