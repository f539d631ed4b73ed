"""MSTL and LightGBM together: the mean of their quantiles on the logarithmic scale, the best of the peers."""

from forecasting.asked import Answer, Ask, Model, mixed
from forecasting.peers import boosted, mstl
from forecasting.series import Series


class Blend:
    """Asks both and mixes."""

    def __init__(self, one: Model, other: Model) -> None:
        """Take the two."""
        self._one, self._other = one, other

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        return mixed(self._one.answer(history, ask), self._other.answer(history, ask))


def build() -> Blend:
    """Return it."""
    return Blend(mstl.build(), boosted.build())
