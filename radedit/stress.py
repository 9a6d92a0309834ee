"""Stress-test predictors: `python -m radedit.stress +scenario=manifestation`, see `conf/stress.yaml`.

From a program, `radedit.stress(model, data, scenario="manifestation")`, see `radedit.api.stress_test`.
"""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from radedit.api.callable_module import make_callable
from radedit.api.stress_test import stress
from radedit.app.command import entry_point
from radedit.app.jobs import jobs, out_of


@entry_point("stress", needs="scenario")
def run(config: DictConfig) -> None:
    """One job of the scenario's sweep: edit → score → keep → predict → judge → report."""
    from radedit.app import stress_test  # torch takes seconds, which a misspelt key need not wait for

    stress_test.run(config)


def main() -> None:
    """Run the scenario's sweep, and end it with its verdicts and one report."""
    with jobs(out_of("stress", sys.argv[1:])) as finished:
        run()
    if finished:
        from radedit.app.sweeps import finish

        finish(finished)


make_callable(__name__, stress)

if __name__ == "__main__":
    main()
