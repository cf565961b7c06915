"""Readers of files of trained SAEs, one file a library; nothing is ever unpickled.

Imports `solvers.autoencoders` and `solvers.runtime`.
"""
