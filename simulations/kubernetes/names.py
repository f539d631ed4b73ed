"""What names, labels and annotations may look like, with the server's words for what may not."""

import re
from typing import Any

from simulations.kubernetes.failures import Cause, invalid_value

SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
LABEL_NAME = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
LONGEST_NAME, LONGEST_LABEL, MOST_ANNOTATIONS_BYTES = 253, 63, 262_144

SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
NAME_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def too_long(most: int, unit: str = "bytes") -> str:
    """Return the words for what is longer than it may be."""
    return f"must be no more than {most} {unit}"


def subdomain_faults(name: str) -> list[str]:
    """Return what is wrong with an object's name."""
    faults = [too_long(LONGEST_NAME, "characters")] if len(name) > LONGEST_NAME else []
    return faults + ([] if SUBDOMAIN.match(name) else [SUBDOMAIN_WORDS])


def label_value_faults(value: str) -> list[str]:
    """Return what is wrong with a label's value."""
    faults = [too_long(LONGEST_LABEL)] if len(value) > LONGEST_LABEL else []
    return faults + ([] if LABEL_VALUE.match(value) else [VALUE_WORDS])


def label_value_fault(value: str) -> str:
    """Return the first thing wrong with a label's value, or nothing."""
    return next(iter(label_value_faults(value)), "")


def label_key_faults(key: str) -> list[str]:
    """Return what is wrong with a label's or annotation's key."""
    prefix, slash, name = key.rpartition("/")
    faults = [f"prefix part {fault}" for fault in subdomain_faults(prefix)] if slash else []
    if len(name) > LONGEST_LABEL:
        faults.append(f"name part {too_long(LONGEST_LABEL)}")
    return faults if LABEL_NAME.match(name) else [*faults, NAME_WORDS]


def label_causes(labels: dict[str, Any], where: str = "metadata.labels") -> list[Cause]:
    """Return the broken rules of labels."""
    causes = []
    for key, value in labels.items():
        causes += [invalid_value(where, f'"{key}"', fault) for fault in label_key_faults(key)]
        causes += [invalid_value(where, f'"{value}"', fault) for fault in label_value_faults(str(value))]
    return causes


def annotation_causes(annotations: dict[str, Any]) -> list[Cause]:
    """Return the broken rules of annotations: their keys, and their size together."""
    where = "metadata.annotations"
    causes = [invalid_value(where, f'"{key}"', fault) for key in annotations for fault in label_key_faults(key.lower())]
    if sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items()) > MOST_ANNOTATIONS_BYTES:
        causes.append(Cause(where, "FieldValueTooLong", "Too long: may not be more than 262144 bytes"))
    return causes
