"""What a process can be started with: the entrypoint and the environment of a job, judged before anybody tries.

A job that breaks one of these rules would never start: the interpreter that is to run it dies before it can say why.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from scheduler.config.faults import fault_at
from scheduler.config.texts import shown
from scheduler.config.yaml_file import Document
from scheduler.model.errors import Fault

MOST_BYTES: Final = 64 * 1024
"""Of an entrypoint, and of all variables together as JSON: Linux takes 128 KiB in one string, and Ray hands the
environment on in one, with what it and Headroom add."""
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
OURS: Final = frozenset(
    f"HEADROOM_{name}"
    for name in (
        *("JOB_ID", "ATTEMPT", "CHECKPOINT_DIR", "RESUME_STEP", "WORKERS", "GPUS_PER_WORKER", "DEVICES"),
        *("PLACEMENT_GROUP", "NAMESPACE", "LOCAL_RAY"),
    )
)
RAYS: Final = frozenset(
    f"RAY_{name}"
    for name in (
        *("ADDRESS", "JOB_ID", "JOB_CONFIG_JSON_ENV_VAR", "JOB_STOP_WAIT_TIME_S", "RAYLET_PID", "WORKER_NICENESS"),
        *("OVERRIDE_NODE_ID_FOR_TESTING", "AUTH_MODE", "AUTH_TOKEN", "AUTH_TOKEN_PATH"),
    )
)
"""How a process finds its own Ray: another value leads it astray."""
KEEPS_PATH: Final = re.compile(r"\$PATH\b|\$\{PATH\}|(?:^|:)(?:/usr)?/bin/?(?:$|:)")
IN_THE_ENTRYPOINT: Final = "set it in the entrypoint, where it counts for your program alone: {name}=… python train.py"


def start_faults(document: Document) -> tuple[Fault, ...]:
    """Return all that is wrong with `entrypoint` and `env` of a job as they are written.

    Values of other types than text are left to whoever judges types.
    """
    if not isinstance(document.data, Mapping):
        return ()
    return (*_of_entrypoint(document, document.data.get("entrypoint")), *_of_env(document, document.data.get("env")))


def _of_entrypoint(document: Document, entrypoint: object) -> Iterator[Fault]:
    if isinstance(entrypoint, str) and _size(entrypoint) > MOST_BYTES:
        message = f"entrypoint: has {_size(entrypoint)} bytes, more than a command may have"
        help_ = f"use {MOST_BYTES} or fewer; put a long program into a file of working_dir"
        yield fault_at(document, ("entrypoint",), "BadValue", message, help_)


def _of_env(document: Document, env: object) -> Iterator[Fault]:
    if not isinstance(env, Mapping):
        return
    for name, value in env.items():
        wrong = _wrong_with(str(name), value if isinstance(value, str) else "")
        if wrong:
            yield fault_at(document, ("env", name), "BadValue", f"env: {wrong[0]}", wrong[1])
    size = len(json.dumps({str(name): value if isinstance(value, str) else "" for name, value in env.items()}))
    if size > MOST_BYTES:
        message = f"env: has {size} bytes, more than a process can be started with"
        help_ = f"use {MOST_BYTES} or fewer; put long values into a file of working_dir"
        yield fault_at(document, ("env",), "BadValue", message, help_)


def _wrong_with(name: str, value: str) -> tuple[str, str] | None:
    """Return what is wrong with a variable, and what to do; the first that is."""
    if not NAME.fullmatch(name):
        return f'"{shown(name)}" is not a name of a variable', "use letters, digits and _, and no digit first"
    rule = _RULES.get(name)
    return rule(name, value) if rule else None


def _keeps_path(name: str, value: str) -> tuple[str, str] | None:
    if KEEPS_PATH.search(value):
        return None
    message = f'{name}: with "{shown(value)}" the worker processes find no shell and never start'
    return message, f'keep what is there: "/opt/tool/bin:${{PATH}}"; or {IN_THE_ENTRYPOINT.format(name=name)}'


def _breaks_python(name: str, _: str) -> tuple[str, str]:
    return f"{name}: keeps the Python of the worker processes from starting", IN_THE_ENTRYPOINT.format(name=name)


def _set_by_headroom(name: str, _: str) -> tuple[str, str]:
    return f"{name}: is set by Headroom", "choose another name"


def _set_by_ray(name: str, _: str) -> tuple[str, str]:
    return f"{name}: is how a process finds its own Ray", IN_THE_ENTRYPOINT.format(name=name)


_RULES: Final[Mapping[str, Callable[[str, str], tuple[str, str] | None]]] = {
    "PATH": _keeps_path,
    "PYTHONHOME": _breaks_python,
    **dict.fromkeys(OURS, _set_by_headroom),
    **dict.fromkeys(RAYS, _set_by_ray),
}


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
