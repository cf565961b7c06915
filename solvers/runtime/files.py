"""Files are written beside their place and renamed, so that none is ever half-written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from theory.exact.errors import InputError, UnwritableFileError


@contextmanager
def written_beside(path: Path, keep: bool = True) -> Iterator[Path]:
    """Yield a temporary path of the same suffix; rename it to `path` if the block succeeds.

    With `keep` false nothing stays: it is a trial whether the folder can be written.

    Raises
    ------
    UnwritableFileError
        If the folder does not exist or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except OSError as error:
        raise UnwritableFileError.because(path, error) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if not keep:
            return
        # mkstemp is private to its owner; a result is as readable as any new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except OSError as error:
        raise UnwritableFileError.because(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise `InputError` if `path` cannot be written, before the work that would fill it."""
    try:
        if path.is_dir():
            raise InputError(path, "a file", hint="this is a folder")
        if not path.parent.is_dir():
            reason = f"no folder {path.parent}"
            raise UnwritableFileError(path, "a file in a folder that exists", hint=reason)
        with written_beside(path, keep=False):
            pass
    except OSError as error:
        raise UnwritableFileError.because(path, error) from None
