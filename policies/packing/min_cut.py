"""Which models run short: the smallest minimum cut between demand and the models that may serve it.

A flow is raised along shortest paths until none is left (Edmonds and Karp, Journal of the ACM 19, 1972). What demand
that was not served can still reach then, by moving others from model to model, is the demand's side of the cut.
"""

from collections.abc import Mapping


def short_models(demand: Mapping[frozenset[str], int], free_milli: Mapping[str, int]) -> set[str]:
    """Return the models that serve nobody whom another could, where not all demand is served; none where it is.

    Args:
        demand: thousandths of a device asked for, by the models that will do; an empty set accepts any.
        free_milli: free thousandths per model.
    """
    flow = _Flow(demand, free_milli)
    while (end := flow.search()) is not None:
        flow.raise_to(end)
    return set(flow.reached_from)


class _Flow:
    """How much of each model is given to whom, and what the last search reached.

    Attributes:
        reached_from: by model, the demand from which it was reached.
    """

    def __init__(self, demand: Mapping[frozenset[str], int], free_milli: Mapping[str, int]) -> None:
        self._left, self._free = dict(demand), dict(free_milli)
        self._suits = {group: [m for m in free_milli if not group or m in group] for group in demand}
        self._given: dict[str, dict[frozenset[str], int]] = {model: {} for model in free_milli}
        self.reached_from: dict[str, frozenset[str]] = {}
        self._moved_from: dict[frozenset[str], str | None] = {}

    def search(self) -> str | None:
        """Reach models from all demand that is left; return the first that has something free."""
        self.reached_from = {}
        self._moved_from = {group: None for group, left in self._left.items() if left > 0}
        waiting = list(self._moved_from)
        for group in waiting:
            for model in self._suits[group]:
                if model in self.reached_from:
                    continue
                self.reached_from[model] = group
                if self._free[model] > 0:
                    return model
                moved = [g for g, milli in self._given[model].items() if milli > 0 and g not in self._moved_from]
                self._moved_from.update(dict.fromkeys(moved, model))
                waiting += moved
        return None

    def raise_to(self, end: str) -> None:
        """Serve as much as the path to a model lets through."""
        path, model = [], end
        while True:
            group = self.reached_from[model]
            before = self._moved_from[group]
            path.append((group, model, before))
            if before is None:
                break
            model = before
        through = [self._given[before][group] for group, _, before in path if before is not None]
        most = min(self._free[end], self._left[path[-1][0]], *through)
        self._free[end] -= most
        self._left[path[-1][0]] -= most
        for group, model, before in path:
            self._given[model][group] = self._given[model].get(group, 0) + most
            if before is not None:
                self._given[before][group] -= most
