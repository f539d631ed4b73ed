"""The `headroom` command; the composition root."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Our matrices are small: on busy processors threads that wait for each other cost a fit more than they save. It has to
# be said before numpy is loaded, and this package is the first that the command loads.
