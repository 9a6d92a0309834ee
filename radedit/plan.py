"""What a stress test will take, before it runs: `python -m radedit.plan +scenario=manifestation`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from radedit.app.command import entry_point
from radedit.app.configuration import composed

if TYPE_CHECKING:
    from radedit.harness.stress.cost import Cost

POINTS = 0.05  # that are to be resolved
TRAINING_MINUTES = 1.5  # of a phantom predictor on one core: covid_…, lungs_… and ptx_… as they are in conf/experiment
SPREAD = {  # standard deviation of one image's value, a fraction; a pilot gives it better
    "accuracy": {
        "a rate near 50 %": 0.5,
        "a rate near 90 %": 0.3,
        "the shift, if a third of the predictions change": 0.58,
    },
    "dice": {"Dice, if it spreads by 15 points": 0.15, "the shift in Dice, if it spreads by 10": 0.10},
}


@entry_point("plan", needs="scenario", one_job=True)
def main(config: DictConfig) -> None:
    """Count network calls, hours, disk and trainings of the whole sweep; say what so many images can decide."""
    from radedit.app.stress_sets import requested
    from radedit.app.tested_model import is_own, put_own_model
    from radedit.harness.statistics.means import sample_size
    from radedit.harness.stress.cost import expected_cost
    from radedit.harness.stress.scenario import Addition
    from radedit.report.words.numbers import plural

    if is_own(config):
        put_own_model(config)
    seeds = str(config.seeds).split(",")
    additions = str(config.additions).split(",") if "addition" in config else [""]
    total, lines, smallest = None, [], 0
    overrides = [o for o in HydraConfig.get().overrides.task if not o.startswith("addition=")]
    for addition in additions:
        one = composed("stress", [*overrides, f"addition={addition}"]) if addition else config
        what = requested(one)
        cost = expected_cost(what.bundle, what.plan, what.data, what.folder)
        lines.append(f"{addition or what.scenario.name}: {cost}")
        smallest = cost.records if total is None else min(smallest, cost.records)
        total = cost if total is None else _sum(total, cost)
    assert total is not None
    n = len(_keys(config))
    tested = f"{len(seeds)} {plural(len(seeds), 'seed')} of {n} {plural(n, 'predictor')}"
    print(f"{what.scenario.section}, setting {config.setting}, {tested}\n")
    print("\n".join(lines))
    hours = total.calls * total.seconds_per_call / 3600
    print(f"\nEditing in all: {total.calls:,} network calls, {hours:.1f} h on this machine, {total.megabytes:.0f} MB.")
    _trainings(config, seeds)
    is_dice = isinstance(what.scenario, Addition)
    n = total.records
    print(f"\nTo know a mean to ± {100 * POINTS:.0f} points (95 %), images of as many patients are needed:")
    for quantity, sd in SPREAD["dice" if is_dice else "accuracy"].items():
        reached = 196 * sd / n**0.5 if n else float("nan")
        print(f"  {quantity}: {sample_size(sd, POINTS)}; the {n} sources, if all are kept, give ± {reached:.1f} points")
    print("The editing score rejects some, and patients with several images count for less.")
    has_judge = what.data.counterfactual is not None
    _verdicts(config, smallest, len(_keys(config)) * len(additions), addition=is_dice, has_judge=has_judge)


def _verdicts(config: DictConfig, n: int, verdicts: int, *, addition: bool, has_judge: bool) -> None:
    """What verdicts on n sources can be, if all goes as `plan.…` expects; what can't be, whatever the models do."""
    from hydra.utils import instantiate

    from radedit.harness.evidence.power import POWER, Expected, detectable, records_to_pass, requirements

    rules, asked = instantiate(config.rules), config.plan
    expected = Expected(
        asked.kept, asked.artefact, asked.residual if has_judge and not addition else None,
        asked.spread if addition else None,
    )  # fmt: skip
    kept = round(expected.kept * n)
    flips = (
        f"costs {100 * expected.artefact:g} points of Dice" if addition else f"flips {100 * expected.artefact:.0f} %"
    )
    left = "" if expected.residual is None else f", and leaves the finding in {100 * expected.residual:.0f} %"
    keys = f"plan.kept, .artefact, {'.spread' if addition else '.residual'}"
    print(
        f"\nVerdicts, {verdicts} of them, if the score keeps {100 * expected.kept:.0f} % ({kept} of {n}) and editing "
        f"alone {flips}{left} ({keys}; one image a patient):"
    )
    short = {
        what: needed for what, needed in requirements(rules, instantiate(config.checks), addition=addition).items()
        if needed > kept
    }  # fmt: skip
    for what, needed in short.items():
        print(f"  No verdict with {kept} kept edits: {what} takes {needed}, if all of them speak for it.")
    least = records_to_pass(expected, rules)
    if not short:
        effect = detectable(expected.measures(0.0, kept), rules, verdicts)
        found = "no effect is found" if effect is None else f"one of {100 * effect:.0f} points or more is found"
        print(f"  fail: {found} in {100 * POWER:.0f} % of runs; the limit is {100 * rules.limit:g} points")
        possible = least is not None and least <= kept
        print(f"  pass: {'possible' if possible else 'impossible'} for a model that shows no effect at all")
    if least is None:
        print("  No number of images lets a model pass: artefact and residual alone may reach the limit.")
    elif least > kept:
        print(f"  A pass takes {least} kept edits, about {math.ceil(least / expected.kept)} sources (n=…).")


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
    from radedit.app import trained_predictors as trained

    absent = trained.missing(config.predictors).values()
    overrides = [*config.training_roots, *config.training]
    missing = trained.lacking(absent, map(int, seeds), config.out, overrides)
    minutes = TRAINING_MINUTES * len(missing) / config.train_jobs
    # The time of full-size networks on a GPU is not known.
    time = "" if config.setting == "paper" else f", about {minutes:.0f} min"
    print(f"Predictors to be trained: {len(missing)} of {len(seeds) * len(_keys(config))}{time}.")


if __name__ == "__main__":
    main()
