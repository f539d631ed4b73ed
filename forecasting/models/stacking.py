"""How much to listen to each of several forecasts, from their errors on weeks that they had not seen."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK_ENDS_DAYS: Final = (1 / 24, 1 / 8, 1 / 3, 1.0, np.inf)
"""Leads up to each share their weights: who is good an hour ahead need not be so a day ahead."""
_TRUST_IN_USUAL: Final = 0.3
"""Of the usual shares, against one of the errors seen."""


def shares(errors: Floats, weights: Floats, usual: Floats, day: int) -> Floats:
    """Return (members, leads): shares not below 0 that sum to 1 and would have missed least.

    The best weights of forecasts follow from the products of their errors (Bates & Granger, OR Quarterly 20, 1969),
    here kept from 0 up (Breiman, Machine Learning 24, 1996); being estimates they are drawn to the usual ones.

    Args:
        errors: (members, rows, leads), NaN where still to come.
        weights: (rows,).
        usual: (members,), what to say without any errors.
        day: bins a day.
    """
    leads = errors.shape[2]
    found = np.empty((len(usual), leads))
    first = 0
    for last in sorted({int(min(days * day, leads)) for days in (*_BLOCK_ENDS_DAYS[:-1], leads)} - {0}):
        block = errors[:, :, first:last]
        known = ~np.isnan(block.sum(axis=0))
        weighted = np.where(known, block, 0.0) * np.sqrt(weights)[:, None]
        flat = weighted.reshape(len(usual), -1)
        found[:, first:last] = best(flat @ flat.T, usual)[:, None]
        first = last
    return found


def best(products: Floats, usual: Floats) -> Floats:
    """Return (members,), what makes w' products w + trust |w - usual|^2 least under w >= 0 and a sum of 1.

    Members that would get less than nothing are left out, the worst first, until none is.
    """
    pull = _TRUST_IN_USUAL * float(np.trace(products)) / len(usual)
    if pull <= 0:
        return usual
    kept = np.arange(len(usual))
    while True:
        share = _on_the_plane(products[np.ix_(kept, kept)] + pull * np.eye(len(kept)), pull * usual[kept])
        if (share >= 0).all():
            found = np.zeros(len(usual))
            found[kept] = share
            return found
        kept = np.delete(kept, np.argmin(share))


def _on_the_plane(products: Floats, pull: Floats) -> Floats:
    """Return what makes w' products w - 2 pull' w least when the sum is 1."""
    size = len(pull)
    system = np.block([[products, np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
    return np.asarray(np.linalg.solve(system, np.append(pull, 1.0))[:size])
