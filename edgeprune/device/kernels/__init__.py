"""What kernels do for an op, by its shape: steps of their loops, and the memory that they ask for."""
