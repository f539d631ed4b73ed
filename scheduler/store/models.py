"""Models that were deployed at run time, and their revisions, in the database."""

from collections.abc import Iterable
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select, update

from scheduler.control.model_records import ModelRecord, Proposal, Revision
from scheduler.model.errors import NotFound
from scheduler.store.tables import model_revisions, models, proposals

_RECORD: Final = TypeAdapter(ModelRecord)
_PROPOSAL: Final = TypeAdapter(Proposal)
_REVISION: Final = TypeAdapter(Revision)


def read_models(connection: Connection) -> tuple[ModelRecord, ...]:
    """Return all models, in the order of their deployment."""
    bodies = connection.scalars(select(models.c.body).order_by(models.c.id)).all()
    return tuple(map(_RECORD.validate_json, bodies))


def read_revisions(connection: Connection, model: str) -> tuple[Revision, ...]:
    """Return all revisions of a model, oldest first."""
    asked = select(model_revisions.c.body).where(model_revisions.c.model == model).order_by(model_revisions.c.number)
    return tuple(map(_REVISION.validate_json, connection.scalars(asked).all()))


def read_revision(connection: Connection, model: str, number: int) -> Revision:
    """Return one revision.

    Raises:
        NotFound: there is none.
    """
    here = (model_revisions.c.model == model) & (model_revisions.c.number == number)
    body = connection.scalar(select(model_revisions.c.body).where(here))
    if body is None:
        raise NotFound(f"no revision {number} of {model}", help=f"headroom models history {model}")
    return _REVISION.validate_json(body)


def read_proposals(connection: Connection) -> tuple[Proposal, ...]:
    """Return what is proposed, oldest first."""
    asked = select(proposals.c.body).order_by(proposals.c.at_s, proposals.c.name)
    return tuple(map(_PROPOSAL.validate_json, connection.scalars(asked).all()))


def write_proposal(connection: Connection, proposal: Proposal) -> None:
    """Add a proposal of a name that has none."""
    body = _PROPOSAL.dump_json(proposal).decode()
    connection.execute(insert(proposals).values(name=proposal.name, at_s=proposal.at_s, body=body))


def drop_proposal(connection: Connection, name: str) -> None:
    """Forget a proposal, if there is one."""
    connection.execute(delete(proposals).where(proposals.c.name == name))


def write_model(connection: Connection, record: ModelRecord, revisions: Iterable[Revision]) -> None:
    """Add a model or replace its record, and add or replace revisions."""
    body = _RECORD.dump_json(record).decode()
    if not connection.execute(update(models).where(models.c.name == record.name).values(body=body)).rowcount:
        connection.execute(insert(models).values(name=record.name, body=body))
    for one in revisions:
        here = (model_revisions.c.model == one.model) & (model_revisions.c.number == one.number)
        connection.execute(delete(model_revisions).where(here))
        text = _REVISION.dump_json(one).decode()
        connection.execute(insert(model_revisions).values(model=one.model, number=one.number, body=text))
