"""Readers of files of trained SAEs, one file a library; nothing is ever unpickled.

Imports `solvers.autoencoders` and `solvers.runtime`. Public names: `as_sae`, `find_checkpoints`,
`FORMATS`, `load_checkpoint`, `load_checkpoints`, `Model`, `NO_FUNCTION_OF_ONE_SAMPLE`, `sae_of`,
`SETTINGS`.
"""
