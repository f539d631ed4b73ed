"""Access reviews in protobuf, as kubectl sends them: bytes made by hand here, field by field."""

import pytest

from simulations.kubernetes.failures import Refused
from simulations.kubernetes.protobuf import MAGIC, review_in


def field(number: int, value: bytes) -> bytes:
    """Return a field of counted bytes, shorter than 128."""
    return bytes([number << 3 | 2, len(value)]) + value


def enveloped(kind: bytes, raw: bytes) -> bytes:
    head = field(1, b"authorization.k8s.io/v1") + field(2, kind)
    return MAGIC + field(1, head) + field(2, raw) + field(3, b"") + field(4, b"")


def test_a_review_says_what_it_asks() -> None:
    attributes = field(1, b"ml") + field(2, b"patch") + field(3, b"ray.io") + field(5, b"rayjobs") + field(7, b"train")
    metadata = field(1, field(1, b"")) + bytes([7 << 3, 0x96, 0x01])  # a number of two bytes is passed over
    raw = metadata + field(2, field(1, attributes))
    wanted = {"namespace": "ml", "verb": "patch", "group": "ray.io", "resource": "rayjobs", "name": "train"}
    assert review_in(enveloped(b"SelfSubjectAccessReview", raw)) == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }


def test_fixed_numbers_are_passed_over() -> None:
    raw = bytes([9 << 3 | 1, *range(8)]) + bytes([10 << 3 | 5, *range(4)]) + field(2, field(1, b"ml"))
    assert review_in(enveloped(b"SelfSubjectRulesReview", raw))["spec"] == {"namespace": "ml"}


def test_other_bytes_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        review_in(b'{"kind": "SelfSubjectReview"}')
    assert refused.value.code == 400
