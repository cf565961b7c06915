"""The one exception for bad input, shared by every module and turned into exit status 2."""


class InputError(ValueError):
    """Bad input: the message names the file or argument, the key, and what was expected."""
