"""Compare two versions of a model on one stress set: `python -m radedit.compare_models`, see its YAML in `conf/`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.app.command import SHOWS, entry_point, typed_command

PLACES = ("baseline", "candidate")


@entry_point("compare_models")
def command(config: DictConfig) -> None:
    """Is the new version worse? Paired differences, Markdown, JUnit and an exit code."""
    from radedit.data.io.fingerprint import content_hash
    from radedit.harness.sweep.finished_run import read_runs
    from radedit.harness.versions.comparison import compare
    from radedit.report.versions.comparison import TABLES, summary, write_comparison

    baseline, candidate = (
        read_runs([Path(given)] if isinstance(given, str) else [Path(one) for one in given])
        for given in (config[place] for place in PLACES)
    )
    rule = instantiate(config.rule)
    models = {name: config[name] for name in ("baseline_model", "candidate_model")}
    found = compare(baseline, candidate, rule, command=typed_command("compare_models"), **models)
    named = content_hash([sorted(run.hash for run in runs) for runs in (baseline, candidate)] + [models, str(rule)])
    folder = Path(config.out) / f"{found.name}-{named[:12]}"
    write_comparison(folder, found)
    print(f"{summary(found)}\n\n{folder / TABLES}", flush=True)
    if found.exit_code:
        raise SystemExit(found.exit_code)


def main() -> None:
    """The command, where folders without a key are the baseline and the candidate."""
    sys.argv[1:] = named(sys.argv[1:])
    command()


def named(arguments: Sequence[str]) -> list[str]:
    """The arguments with `baseline=` and `candidate=` before those that are neither `key=value` nor of a flag."""
    places, found = iter(PLACES), list(arguments)
    for i, word in enumerate(arguments):
        of_flag = i > 0 and arguments[i - 1] in SHOWS
        if "=" not in word and not word.startswith(("-", "+", "~")) and not of_flag and (place := next(places, None)):
            found[i] = f"{place}={word}"
    return found


if __name__ == "__main__":
    main()
