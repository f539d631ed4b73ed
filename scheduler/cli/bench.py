"""`headroom bench`: benchmarks that users can repeat on their own hosts and jobs."""

import typer

from scheduler.cli.bench_fleet import forecast_fleet
from scheduler.cli.bench_packing import packing
from scheduler.cli.bench_planner import planner
from scheduler.cli.bench_preemption import preemption
from scheduler.cli.bench_queueing import queueing

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Measure this program, beside its peers.")


@app.callback()
def bench() -> None:
    """Measure this program, beside its peers."""


app.command()(planner)
app.command()(preemption)
app.command()(queueing)
app.command()(forecast_fleet)
app.command()(packing)
