"""From a scenario file to everything that one run is made of."""

from collections.abc import Iterable, Iterator, Sequence

from records.fault import Say, nobody
from scheduler.config.scenario import Scenario
from scheduler.config.scenario_loading import cluster_config, hosts_of, start_s
from scheduler.config.schema import LocalHost
from scheduler.config.wiring import policy_of, served_of, settings_of
from scheduler.control.demand.listening import Crews
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.hosts import Host, devices_offered
from scheduler.planning.reasons.feasibility import empty, never_fits_on
from scheduler.telemetry.replay import ReplayTraffic
from simulations.arrivals import DAY_S, Arrival, from_stream
from simulations.bad_forecasts import BadFitters, crews_needed
from simulations.faults import StartFaults, outages, restarts
from simulations.happenings import eventful, faltering
from simulations.noise import NoisyTraffic
from simulations.run import Setup
from simulations.traces import from_trace

HELP = "ask for less, or for other hosts; traces have max_gpus and gpus_per_worker"


def setup_of(scenario: Scenario, *, seed: int, say: Say = nobody) -> Setup:
    """Return what one run of a scenario is made of.

    Args:
        scenario: checked by `load_scenario`.
        seed: of all that is left to chance.
        say: is told what was assumed of recorded files, and left out of them.

    Raises:
        ConfigError: a traffic or trace file cannot be read, a policy is unknown, or a gang fits on no set of hosts.
    """
    began_s = start_s(scenario)
    ends_s = began_s + scenario.days * DAY_S
    hosts = [_host(host) for host in hosts_of(scenario)]
    arrivals = tuple(_arrivals(scenario, began_s, ends_s, seed, say))
    _refuse_no_jobs(scenario, arrivals)
    _refuse_impossible(arrivals, hosts)
    recorded = {name: ReplayTraffic.described(section, say) for name, section in scenario.traffic.items()}
    traffic = {
        name: NoisyTraffic(shown, scenario.noise, began_s - scenario.lead_in, seed, name)
        for name, shown in eventful(recorded, scenario, began_s).items()
    }
    faults = scenario.faults
    queues = cluster_config(scenario, {arrival.spec.queue for arrival in arrivals}).queues
    return Setup(
        start_s=began_s,
        end_s=ends_s,
        lead_in_s=scenario.lead_in,
        idle_period_s=scenario.idle_period,
        drain_s=scenario.drain,
        hosts=hosts,
        policy=policy_of(scenario.policy, queues),
        settings=settings_of(scenario.control, scenario.policy, queues),
        served=served_of(scenario.models),
        sources={name: faltering(source, name, faults.telemetry, began_s) for name, source in traffic.items()},
        loads={name: source.load for name, source in traffic.items()},
        arrivals=arrivals,
        outages=outages(faults, [host.name for host in hosts], began_s, ends_s, seed),
        restarts=restarts(faults, began_s, ends_s, seed),
        starts=StartFaults(faults.starts, seed),
        crews=Crews(fitters=BadFitters(faults.forecasts, began_s, seed)) if crews_needed(faults.forecasts) else Crews(),
    )


def _host(host: LocalHost) -> Host:
    return Host(
        name=host.name,
        cpu_milli=host.cpus * 1000,
        memory_mib=host.memory,
        devices=devices_offered(host.gpus, host.gpu_memory, host.gpu_partitions),
        gpu_model=host.gpu_model,
        labels=tuple(sorted(host.labels.items())),
    )


def _refuse_impossible(arrivals: Iterable[Arrival], hosts: Sequence[Host]) -> None:
    """Refuse gangs that the live system would refuse when they are submitted."""
    whole = empty(hosts)
    first_of = {arrival.spec.gang: arrival.spec.name for arrival in reversed(tuple(arrivals))}
    refusals = [never_fits_on(whole, gang, name) for gang, name in first_of.items()]
    faults = [Fault("ImpossibleGang", f"{no.subject}: {no.message}", help=HELP) for no in refusals if no]
    if faults:
        raise ConfigError(*faults)


def _refuse_no_jobs(scenario: Scenario, arrivals: Sequence[Arrival]) -> None:
    """Refuse to play traces without a single job in all of the time that is played."""
    whole = all(trace.share == 1 for trace in scenario.jobs.traces)
    if scenario.jobs.traces and not scenario.jobs.streams and whole and not arrivals:
        files = ", ".join(sorted({str(trace.file) for trace in scenario.jobs.traces}))
        said = f"no job of the traces comes within the {scenario.days:g} days that are played"
        raise ConfigError(Fault("NoJobs", said, files, help="another first: for the traces, or more days:"))


def _arrivals(scenario: Scenario, began_s: float, ends_s: float, seed: int, say: Say) -> Iterator[Arrival]:
    for stream in scenario.jobs.streams:
        yield from from_stream(stream, scenario.priorities, began_s, ends_s, seed)
    for trace in scenario.jobs.traces:
        yield from from_trace(trace, scenario.priorities, began_s, ends_s, seed=seed, say=say)
