"""Readers of files of trained SAEs, one file a library; nothing is ever unpickled.

Imports `solvers.autoencoders` and `solvers.runtime`. Public names: `find_checkpoints`,
`load_checkpoint`, `load_checkpoints`.
"""
