"""MSTL and LightGBM together: the mean of their quantiles on the logarithmic scale, the best of the peers."""

from forecasting.evaluation.questions import Mixture
from forecasting.peers import boosted, mstl


def build() -> Mixture:
    """Return it."""
    return Mixture({"mstl": mstl.build(), "lightgbm": boosted.build()})
