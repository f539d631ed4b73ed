"""What differs between two sequences is what sets of identities say, however it came about."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.differing import differing

ITEMS = [[number] for number in range(60)]
OTHERS = [[number] for number in range(60)]
edits = st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["keep", "drop", "replace"])), max_size=40)


@given(edits, st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_those_that_came_and_went_are_found(
    changed: list[tuple[int, str]],
    first: int,
    second: int,
    turned: bool,  # noqa: FBT001  # drawn
) -> None:
    what = dict(changed)
    before, after = (
        ITEMS[:first],
        [OTHERS[n] if what.get(n) == "replace" else ITEMS[n] for n in range(second) if what.get(n) != "drop"],
    )
    if turned:
        before, after = after, before
    added, dropped = differing(tuple(before), tuple(after))
    assert list(map(id, added)) == [id(item) for item in after if id(item) not in set(map(id, before))]
    assert list(map(id, dropped)) == [id(item) for item in before if id(item) not in set(map(id, after))]
