"""Amounts with their nouns, in the singular and the plural: the one place that knows the difference."""


def plural(count: int, noun: str) -> str:
    """Return "1 host" or "3 hosts"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def counted(amount: float, noun: str) -> str:
    """Return "1 GPU", "0.5 GPU" or "2.5 GPUs": a share of one is not several."""
    return f"{amount:g} {noun}" if 0 < amount <= 1 else f"{amount:g} {noun}s"
