"""What a file costs on a device, and what else differs from runtime to runtime: one module a backend."""
