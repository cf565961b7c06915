"""The command sae-theory answers Ctrl-C before it imports anything that takes time.

Parsing, running and saying what was wrong are in `solvers.cli.dispatch`.
"""

import sys
from collections.abc import Sequence

from solvers.cli.interrupts import INTERRUPTED, leaving_on_interrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Examples
    --------
    >>> main(["loss"])
    2
    """
    try:
        with leaving_on_interrupt():
            # Even argparse takes longer to import than Python itself to start.
            from solvers.cli.dispatch import dispatch  # noqa: PLC0415
        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        print("sae-theory: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
