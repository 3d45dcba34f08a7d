"""The model host of pglore: one process a cluster that runs the models for every backend."""

__version__ = "0.1.0"
