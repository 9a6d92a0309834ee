"""List finished stress tests: `python -m radedit.runs`, see `conf/runs.yaml`."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from radedit.app.command import entry_point


@entry_point("runs")
def main(config: DictConfig) -> None:
    """Scenario, generator, verdicts and report of each, the last one first; or one model over all of them."""
    from radedit.report.sweep.index import finished_runs, runs_table, write_index
    from radedit.report.versions.history import history, history_table, write_history

    out = Path(config.out)
    if not out.is_dir():
        raise ValueError(f"out is {out}, which is no folder. Say out=… with the folder that stress tests wrote to.")
    runs = finished_runs(out, config.scenario)
    if not runs:
        print(f"No stress test has finished in {out}. Start one: python -m radedit.stress +scenario=manifestation")
        return
    if config.model is None:
        print(f"{runs_table(runs, out)}\n\n{write_index(out)}")
        return
    tests = history(out, config.model, config.scenario)
    if not tests:
        names = sorted({name for run in runs for name in run.verdicts})
        raise ValueError(f"No stress test in {out} has a model {config.model!r}; they have {', '.join(names)}.")
    print(f"{history_table(tests)}\n\n{write_history(out, config.model, tests)}")


if __name__ == "__main__":
    main()
