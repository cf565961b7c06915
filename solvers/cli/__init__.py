"""The command sae-theory: one file a command, with its options and its run.

Imports every room.
"""
