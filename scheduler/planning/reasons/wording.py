"""How quantities are put into words; the same in a reason, an error and on the page."""

from collections.abc import Iterable, Sequence

from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import Gang


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return "a", "a and b" or "a, b and 4 more"."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def models_of(shape: Shape) -> str:
    """Return the GPU models that will do: "MI300X", "MI210 or MI300X", or "" for any."""
    return " or ".join(sorted(shape.gpu_models))


def unit(shape: Shape) -> str:
    """Return what one unit asks for, by its scarcest kind: "2 MI300X", "0.5 GPU", "4 CPU" or "512 MiB"."""
    kind = models_of(shape) or "GPU"
    if shape.gpu_count and shape.gpu_milli < WHOLE_DEVICE_MILLI:
        return f"{shape.gpu_milli / WHOLE_DEVICE_MILLI:g} {kind}"
    if shape.gpu_count:
        return f"{shape.gpu_count} {kind if shape.gpu_models or shape.gpu_count == 1 else kind + 's'}"
    return f"{shape.cpu_milli / 1000:g} CPU" if shape.cpu_milli else f"{shape.memory_mib} MiB"


def asks(gang: Gang) -> str:
    """Return what a gang asks for: "8 GPUs on one host" or "4 workers × 2 MI210"."""
    if gang.most == 1:
        return f"{unit(gang.shape)} on one host"
    limit = f", at most {gang.max_per_host} on a host" if gang.max_per_host else ""
    together = f", all in one {gang.require_same}" if gang.require_same else ""
    return f"{size(gang)} workers × {unit(gang.shape)}{limit}{together}"


def size(gang: Gang) -> str:
    """Return how many workers a gang runs with: "4", or "2–8" of an elastic one."""
    return f"{gang.workers}–{gang.most}" if gang.is_elastic else str(gang.workers)


def ranges(ascending: Iterable[int], dash: str = "–") -> str:
    """Return whole numbers as ranges: "4–7", "0, 2–3"."""
    runs: list[list[int]] = []
    for number in ascending:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}{dash}{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
