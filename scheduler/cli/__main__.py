"""`python -m scheduler.cli` is `headroom`."""

from scheduler.cli.main import main

if __name__ == "__main__":
    main()
