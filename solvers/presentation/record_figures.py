"""Which figure shows which record: what `record.plot()` draws."""

from functools import singledispatch
from pathlib import Path

from solvers.presentation.figures import Figure, atoms_figure, write_figure
from solvers.studies.cross_check import CrossCheck


@singledispatch
def record_figure(record: object) -> Figure:
    """Return the figure that shows a record.

    Examples
    --------
    >>> record_figure("text")
    Traceback (most recent call last):
    ...
    TypeError: str has no figure
    """
    raise TypeError(f"{type(record).__name__} has no figure")


@record_figure.register
def _(record: CrossCheck) -> Figure:
    return atoms_figure(record.law, record.layers(), record.law.name)


def draw_record(record: object, path: Path | None) -> Figure:
    """Return the figure of a record, and write it if there is a path."""
    figure = record_figure(record)
    if path is not None:
        write_figure(figure, path)
    return figure
