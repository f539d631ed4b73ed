"""A job for tests: takes steps of a twentieth of a second and saves every tenth, as `scheduler.jobkit` shows.

Usage: steps.py STEPS [FAILING_STEP]
"""

import sys
import time

from scheduler.jobkit import Checkpoints

STEPS = int(sys.argv[1])
FAILING_STEP = int(sys.argv[2]) if len(sys.argv) > 2 else None

checkpoints = Checkpoints(total_steps=STEPS)
checkpoints.catch_stop()
sys.stdout.write(f"begins at step {checkpoints.resume_step}\n")
for step in range(checkpoints.resume_step + 1, STEPS + 1):
    time.sleep(0.05)
    if step == FAILING_STEP:
        msg = f"loss is NaN at step {step}"
        raise FloatingPointError(msg)
    if step % 10 == 0 or checkpoints.stop_requested:
        checkpoints.save(step, lambda file, step=step: file.write_text(str(step), encoding="utf-8"))
    if checkpoints.stop_requested:
        sys.stdout.write(f"stops at step {step}\n")
        break
