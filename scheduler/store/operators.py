"""What operators said of hosts and of strays, in the database."""

from dataclasses import asdict

from sqlalchemy import delete, insert, select

from scheduler.control.records import HostMark, StrayOrder, StrayVerb
from scheduler.model.hosts import HostState
from scheduler.store.engine import reading, writing
from scheduler.store.shelf import Shelf
from scheduler.store.tables import host_marks, stray_orders


class OperatorShelf(Shelf):
    """Marks of hosts, and orders about strays."""

    def host_marks(self) -> tuple[HostMark, ...]:
        """Return what operators said of hosts, by host name."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(host_marks).order_by(host_marks.c.host)).all()
        return tuple(HostMark(r.host, HostState(r.state), r.reason, r.since_s, r.deadline_s) for r in rows)

    def mark_host(self, mark: HostMark) -> None:
        """Cordon or drain a host."""
        with writing(self.engine) as connection:
            connection.execute(delete(host_marks).where(host_marks.c.host == mark.host))
            connection.execute(insert(host_marks).values(**asdict(mark)))

    def unmark_host(self, host: str) -> None:
        """Let a host take work again."""
        with writing(self.engine) as connection:
            connection.execute(delete(host_marks).where(host_marks.c.host == host))

    def stray_orders(self) -> tuple[StrayOrder, ...]:
        """Return what operators said of strays and was not carried out yet, by name."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(stray_orders).order_by(stray_orders.c.name)).all()
        return tuple(StrayOrder(r.name, StrayVerb(r.verb), r.by, r.at_s) for r in rows)

    def order_stray(self, order: StrayOrder) -> None:
        """Say what is to become of a stray; the last word counts."""
        with writing(self.engine) as connection:
            connection.execute(delete(stray_orders).where(stray_orders.c.name == order.name))
            connection.execute(insert(stray_orders).values(**asdict(order)))

    def drop_stray_order(self, name: str) -> None:
        """Forget an order."""
        with writing(self.engine) as connection:
            connection.execute(delete(stray_orders).where(stray_orders.c.name == name))
