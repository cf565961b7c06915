"""Codes by name or from a file, for `sae-theory derive`.

* axis-aligned, diagonal: as a law of one-hot sets suggests them;
* rotated:30: four unit atoms, turned by 30 degrees;
* FILE.json: [[1, 0], [-1, 0], ...], one row an atom; numbers are exact, and atoms are brought
  to norm 1.
"""

from pathlib import Path

import sympy

from theory.codes.code import Code, codes_of, rotated
from theory.exact.annotations import checked
from theory.exact.errors import InputError, one_of
from theory.exact.numbers import exact_number
from theory.exact.strict_json import looks_like_path, read_json
from theory.laws.law import Law


@checked
def load_code(text: str, law: Law) -> Code:
    """Return the code that a text names, for a law.

    Raises
    ------
    InputError
        If it names none, is a file that holds none, or has atoms of another dimension.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> load_code("rotated:45", preset("shared")).atoms[0]
    (sqrt(2)/2, sqrt(2)/2)
    """
    suggested = {code.name: code for code in codes_of(law)}
    if text in suggested:
        return suggested[text]
    if text.startswith("rotated:"):
        degrees = exact_number(text.removeprefix("rotated:"), "code")
        code = Code(f"rotated by {degrees}°", rotated(degrees * sympy.pi / 180).atoms)
    elif looks_like_path(text):
        code = _from_file(Path(text))
    else:
        known = one_of([*suggested, "rotated:DEGREES"], text)
        raise InputError("code", f"{known}, or a JSON file of atoms", text)
    if code.dimension != law.dimension:
        expected = f"atoms of dimension {law.dimension}, as {law.name} has"
        raise InputError("code", expected, code.dimension, where=text)
    return code


def _from_file(path: Path) -> Code:
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise InputError(path, "a list of atoms, each a list of numbers")
    try:
        atoms = [[exact_number(entry, f"atom {i}") for entry in row] for i, row in enumerate(rows)]
        norms = [sympy.sqrt(sum(entry**2 for entry in atom)) for atom in atoms]
        for i, norm in enumerate(norms):
            if norm == 0:
                raise InputError(f"atom {i}", "an atom that is not zero")
        unit = [[x / norm for x in atom] for atom, norm in zip(atoms, norms, strict=True)]
        return Code(path.stem, unit)
    except InputError as error:
        raise error.inside(path) from None
