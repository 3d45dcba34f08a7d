"""Benchmarks: one module a benchmark, run through SQL against the server of PGLORE_DSN."""
