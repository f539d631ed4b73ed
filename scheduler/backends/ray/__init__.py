"""Ray: hosts from its nodes, gangs as placement groups with jobs, replicas as Serve applications behind a router.

Entry points:

    local.LocalRay(hosts, state_dir).start() -> LocalAddress    a real cluster of several hosts on this machine
    cluster.RayCluster(address, dashboard_url, ...)             a scheduler.control.ports.Cluster, local or remote
    applications.ServeApplication(import_path, ...)             what a replica of a model runs

    RayCluster ── Training, Runs ── DriverLink ··· driver (its own process) ── placement groups
        │                     └──── RayRest ────── dashboard ── jobs, logs, packages
        └──────── Serving ───────────────┘                  └── Serve: one application a (model, host), router

What runs is written on Ray itself: slots in the metadata of jobs, replicas in the router's configuration. Devices are
bookkeeping: Ray chooses the indices a worker sees; a job that must use the very devices of the plan finds them in
HEADROOM_DEVICES (see `scheduler.jobkit`).
"""
