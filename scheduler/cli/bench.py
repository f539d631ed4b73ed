"""`headroom bench`: benchmarks that users can repeat on their own hosts and jobs."""

import typer

from scheduler.cli.bench_chaos import chaos
from scheduler.cli.bench_eta import eta
from scheduler.cli.bench_fleet import forecast_fleet
from scheduler.cli.bench_joint import joint
from scheduler.cli.bench_kubernetes import kubernetes
from scheduler.cli.bench_packing import packing
from scheduler.cli.bench_planner import planner
from scheduler.cli.bench_preemption import preemption
from scheduler.cli.bench_queueing import queueing

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, add_completion=False, help="Measure this program, beside its peers."
)


@app.callback()
def bench() -> None:
    """Measure this program, beside its peers."""


app.command(short_help="How long planning takes.")(planner)
app.command(short_help="What victims lose.")(preemption)
app.command(short_help="What choices do to waits.")(queueing)
app.command(short_help="What a forecast gives.")(joint)
app.command(short_help="Whether jobs start when told.")(eta)
app.command(short_help="How long forecasts take.")(forecast_fleet)
app.command(short_help="How full hosts get.")(packing)
app.command(short_help="What holds when all goes wrong.")(chaos)
app.command(short_help="What a large cluster costs.")(kubernetes)
