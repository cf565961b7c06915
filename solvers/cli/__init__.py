"""The command sae-theory: one file a command, with its options and its run.

Imports every room. A module whose docstring begins with "sae-theory NAME: " is a command: the rest
of that line is its help. It has `EXAMPLES`, `add_options(parser)` and `run(options)`, which
returns the exit status. Public names: none.
"""
