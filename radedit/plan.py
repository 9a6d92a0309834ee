"""What a stress test will take, before it runs: `python -m radedit.plan +scenario=manifestation`."""

from __future__ import annotations

import sys
from dataclasses import replace

from omegaconf import DictConfig

from radedit import trained
from radedit.configuration import arguments_as, composed, entry_point
from radedit.harness.cost import Cost, expected_cost
from radedit.harness.scenario import Addition
from radedit.harness.statistics import sample_size
from radedit.stress import require_scenario
from radedit.stress_sets import asked
from radedit.tested import is_own, put_own_model

POINTS = 0.05  # that are to be resolved
TRAINING_MINUTES = 1.5  # of a phantom predictor on one core: covid_…, lungs_… and ptx_… as they are in conf/experiment
SPREAD = {  # standard deviation of one film's value, a fraction; a pilot gives it better
    "accuracy": {"a rate near 50 %": 0.5, "a rate near 90 %": 0.3, "the shift, if a third of the answers change": 0.58},
    "dice": {"Dice, if it spreads by 15 points": 0.15, "the shift in Dice, if it spreads by 10": 0.10},
}


@entry_point("stress")
def run(config: DictConfig) -> None:
    """Count network calls, hours, disk and trainings of the whole sweep, and the films that 5 points take."""
    if is_own(config):
        put_own_model(config)
    seeds = str(config.seeds).split(",")
    additions = str(config.additions).split(",") if "addition" in config else [""]
    total, lines = None, []
    overrides = [argument for argument in sys.argv[1:] if not argument.startswith(("addition=", "hydra."))]
    for addition in additions:
        one = composed("stress", [*overrides, f"addition={addition}"]) if addition else config
        what = asked(one)
        cost = expected_cost(what.bundle, what.plan, what.data, what.folder)
        lines.append(f"{addition or what.scenario.name}: {cost}")
        total = cost if total is None else _sum(total, cost)
    assert total is not None
    tested = f"{len(seeds)} seeds of {len(_keys(config))} predictors"
    print(f"{what.scenario.section}, setting {config.setting}, {tested}\n")
    print("\n".join(lines))
    hours = total.calls * total.seconds_per_call / 3600
    print(f"\nEditing in all: {total.calls:,} network calls, {hours:.1f} h on this machine, {total.megabytes:.0f} MB.")
    _trainings(config, seeds)
    is_dice = isinstance(what.scenario, Addition)
    n = total.records
    print(f"\nTo know a mean to ± {100 * POINTS:.0f} points (95 %), films of as many patients are needed:")
    for quantity, sd in SPREAD["dice" if is_dice else "accuracy"].items():
        reached = 196 * sd / n**0.5 if n else float("nan")
        print(f"  {quantity}: {sample_size(sd, POINTS)}; the {n} sources, if all are kept, give ± {reached:.1f} points")
    print("The editing score rejects some, and patients with several films count for less.")


def _sum(one: Cost, two: Cost) -> Cost:
    """Both costs together, at the slower call."""
    return replace(
        one,
        records=one.records + two.records,
        done=one.done + two.done,
        calls=one.calls + two.calls,
        seconds_per_call=max(one.seconds_per_call, two.seconds_per_call),
        megabytes=one.megabytes + two.megabytes,
    )


def _keys(config: DictConfig) -> list[str]:
    return [key for key, node in config.predictors.items() if isinstance(node, DictConfig) and "own_test" in node]


def _trainings(config: DictConfig, seeds: list[str]) -> None:
    absent = trained.missing(config.predictors)
    missing = [
        f"{experiment} (seed {seed})"
        for seed in seeds
        for experiment in absent.values()
        if not trained.known(experiment, int(seed), config.out, [*config.training_roots, *config.training])
    ]
    minutes = TRAINING_MINUTES * len(missing) / config.train_jobs
    # Of full-size networks on a GPU nobody here knows the time.
    time = "" if config.setting == "paper" else f", about {minutes:.0f} min"
    print(f"Predictors to be trained: {len(missing)} of {len(seeds) * len(_keys(config))}{time}.")


def main() -> None:
    """One plan for the whole sweep."""
    require_scenario()
    with arguments_as([*sys.argv[1:], "hydra.mode=RUN"]):
        run()


if __name__ == "__main__":
    main()
