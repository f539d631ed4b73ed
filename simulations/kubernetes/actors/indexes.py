"""The indexes of a Job that are done, as its status writes them: 0-2,5."""


def indexes_in(text: str) -> set[int]:
    """Return the indexes in a text such as 0-2,5."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def text_of(indexes: set[int]) -> str:
    """Return indexes as a text, three or more in a row as a range."""
    parts: list[list[int]] = []
    for index in sorted(indexes):
        if parts and parts[-1][-1] == index - 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    return ",".join(_part(part[0], part[-1]) for part in parts)


def _part(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first}{',' if last == first + 1 else '-'}{last}"
