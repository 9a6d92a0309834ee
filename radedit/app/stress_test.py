"""The steps of one job of a stress test, which `radedit.stress` calls one after the other."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.app import trained_predictors as trained
from radedit.app.command import typed_command
from radedit.app.configuration import close_logger
from radedit.app.jobs import note_job
from radedit.app.loggers import noted, open_logger, spoils_nothing
from radedit.app.numbers import check_numbers
from radedit.app.processes import Process, this_process
from radedit.app.stress_sets import RequestedSet, requested
from radedit.app.tested_model import Given, is_own, put_own_model, tested_models
from radedit.data.batches.cache import fingerprint
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.provenance import made_by
from radedit.data.stress_set import edited_by, require_whole_set
from radedit.harness.evidence import addition, removal
from radedit.harness.evidence.anatomy import anatomy
from radedit.harness.evidence.checks import check_edits
from radedit.harness.evidence.evidence import Evidence
from radedit.harness.evidence.results import FILE as RESULTS
from radedit.harness.evidence.results import Hashes, Provenance, Results, Software
from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.answers import AnswersModel, require_same_set
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.operating_point import OperatingPoint
from radedit.harness.predictors.predictions import FILE, write_predictions
from radedit.harness.predictors.preflight import check_first_images, check_repeats, first_images
from radedit.harness.single.outputs import prepare_folder
from radedit.harness.stress.cost import expected_cost
from radedit.harness.stress.generate import generate, require_masks
from radedit.harness.stress.scenario import Addition, Removal
from radedit.harness.subgroups.groups import Groups, groups_of
from radedit.harness.sweep.pooled import training_of
from radedit.harness.sweep.results import Sweep
from radedit.models.adapters.own_model import OwnModel
from radedit.models.predictors import load_predictor
from radedit.report.images.strip import write_strip
from radedit.report.sweep.index import INDEX
from radedit.report.sweep.page import write_report
from radedit.report.sweep.run_folder import seal_run, write_results
from radedit.report.sweep.table import write_tables
from radedit.report.wandb.log import log_run
from radedit.report.words.numbers import plural

KIND = {Removal: removal, Addition: addition}
STEPS = ("generate", "evaluate")
NOTHING = Given()


@dataclass
class StressTest:
    """One job: a stress set, the predictors that are tested on it, and the folder of the results.

    Attributes:
        config: As `conf/stress.yaml` composes, at one point of its sweep.
        given: What was handed in as objects.
        process: Which of those that were started together this one is.
        steps: Of `STEPS`, those that this process does.
        rules: Of the verdicts.
        requested: The stress set.
        predictors: Those that are tested; none where nothing is evaluated.
        groups: Record → attribute → group, of the images that are edited.
        hash: Of all that determines the results.
        minutes: That each step took.
    """

    config: DictConfig
    given: Given
    process: Process
    steps: list[str]
    rules: Rules
    requested: RequestedSet
    predictors: list[TestedModel] = field(default_factory=list)
    groups: Groups = field(default_factory=dict)
    hash: str = ""
    minutes: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Of the results."""
        return Path(self.config.out) / "stress" / f"{self.requested.scenario.name}-{self.hash[:12]}"


def run(config: DictConfig, given: Given = NOTHING) -> Path | None:
    """One job: edit → score → keep → predict → judge → report.

    Args:
        config: As `conf/stress.yaml` composes, at one point of its sweep.
        given: What was handed in as objects.

    Returns:
        Folder of the results; None where this process evaluates nothing.
    """
    test = plan(config, given)
    obtain_predictors(test)
    make_stress_set(test)
    evaluate(test)
    return test.folder if "evaluate" in test.steps else None


def plan(config: DictConfig, given: Given = NOTHING) -> StressTest:
    """Find out what is asked for, and see the mistakes that would otherwise end long work.

    Raises:
        ValueError: If a step is unknown, a given predictor can't be loaded, or the images lack the masks.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    if unknown := set(config.run) - set(STEPS):
        raise ValueError(f"run has {', '.join(sorted(unknown))}; allowed are {', '.join(STEPS)}.")
    check_numbers(config)
    process = this_process()
    # The first process does what is not shared.
    steps = [step for step in config.run if step == "generate" or process.rank == 0]
    prepare_folder(Path(config.out))
    rules: Rules = instantiate(config.rules)
    operating_point(config)
    if "evaluate" in steps:
        put_own_model(config)
        _check_given(config.predictors)
    what = requested(config, given.images)
    if not what.finished:
        require_masks(what.scenario, what.data, what.plan, what.bundle.size)
    if process.rank == 0:
        cost = expected_cost(what.bundle, what.plan, what.data, what.folder)
        print(f"{what.scenario.title}\n{cost}\nstress set: {what.folder}", flush=True)
        if "evaluate" in steps:
            print(f"reports:    {Path(config.out).resolve() / INDEX} lists them at the end", flush=True)
    groups = groups_of(what.data.source.records, config.subgroups, config.subgroup_bands)
    return StressTest(config, given, process, steps, rules, what, groups=groups)


def obtain_predictors(test: StressTest) -> None:
    """Load the predictors, train those that are missing, and check them before any long work.

    Raises:
        ValueError: If one can't be tested in this scenario, or a training fails.
    """
    if "evaluate" not in test.steps:
        return
    config, what = test.config, test.requested
    absent = trained.missing(config.predictors)
    folders = trained.obtain(
        absent, config.predictor.seed, Path(config.out), [*config.training_roots, *config.training], config.train_jobs
    )
    for key, folder in folders.items():
        config.predictors[key].folder = str(folder)
    rule = operating_point(config)
    test.predictors = [replace(model, operating_point=rule) for model in tested_models(config, test.given)]
    for model in test.predictors:
        if isinstance(model.predictor, AnswersModel):
            require_same_set(model.predictor, what.hash, what.scenario.name)
    test.hash = _hash(test)
    if not (test.folder / RESULTS).is_file():
        for model in test.predictors if is_own(config) else ():
            if config.predictor.check:
                print(check_first_images(model, what.bundle.size))
            elif isinstance(model.predictor, OwnModel):
                check_repeats(model.predictor, first_images(model.own_test, what.bundle.size))
        KIND[type(what.scenario)].require(test.predictors, what.scenario, what.bundle.size)
    print(f"results:    {test.folder}\n", flush=True)


def make_stress_set(test: StressTest) -> None:
    """Edit → score → keep: write what is missing of the stress set."""
    if "generate" not in test.steps:
        return
    started, what, process = time.monotonic(), test.requested, test.process
    generate(
        what.scenario, what.data, what.bundle, what.plan, what.folder, what.determines, rank=process.rank,
        world_size=process.world_size,
    )  # fmt: skip
    test.minutes["generate"] = (time.monotonic() - started) / 60


def evaluate(test: StressTest) -> None:
    """Predict → judge → report: what the predictors do on the stress set, written and logged."""
    if "evaluate" not in test.steps:
        return
    require_whole_set(test.requested.folder)
    run_logger = open_logger(test.config.logger)
    try:
        results = _report(test, _evidence(test))
        with spoils_nothing():
            log_run(run_logger, results, test.folder, OmegaConf.to_container(test.config, resolve=True))
    finally:
        with spoils_nothing():
            close_logger([run_logger])


def _evidence(test: StressTest) -> Evidence:
    """What the predictors do on every kind of image."""
    started, what, config = time.monotonic(), test.requested, test.config
    checks = check_edits(
        what.folder, what.plan.threshold, instantiate(config.checks), addition=isinstance(what.scenario, Addition),
        psnr=what.bundle.psnr,
    )  # fmt: skip
    evidence: Evidence = KIND[type(what.scenario)].gather(
        test.predictors, what.scenario, what.data, what.folder, size=what.bundle.size,
        predictions=Path(config.out) / "predictions", n_gallery=config.n_gallery, rules=test.rules, checks=checks,
        groups=test.groups,
    )  # fmt: skip
    test.minutes["evaluate"] = (time.monotonic() - started) / 60
    return evidence


def _report(test: StressTest, evidence: Evidence) -> Results:
    """Write results, table, report and strip."""
    config, what, folder = test.config, test.requested, test.folder
    judge = instantiate(config.judge) if config.judge else None
    judgement = judge and judge(what.bundle, what.scenario, what.data, what.folder, what.plan.threshold)
    segmenter = None if config.anatomy is None else load_predictor(config.anatomy)
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(folder / FILE, evidence.measured, evidence.kept, evidence.groups)
    results = write_results(
        folder, what.folder, evidence, _provenance(test), setting=config.setting, threshold=what.plan.threshold,
        edit_quality=anatomy(what.folder, segmenter), judgement=judgement,
    )  # fmt: skip
    sweep = Sweep.of(results, folder.name)  # of one seed
    write_tables(folder, sweep)
    write_report(folder, sweep)
    write_strip(results, folder)
    seal_run(folder, results)
    note_job(folder, noted(config.logger))
    kept, edited, skipped = (results.counts[name] for name in ("kept", "edited", "skipped"))
    skips = f"{skipped} {plural(skipped, 'record')} skipped"
    print(f"{kept} of {edited} {plural(edited, 'edit')} kept, {skips}", flush=True)
    return results


def _provenance(test: StressTest) -> Provenance:
    """Where the results come from."""
    what, seed = test.requested, None if is_own(test.config) else test.config.predictor.seed
    training = training_of(seed, test.hash)
    return Provenance(
        **made_by(),
        edited_by=Software(**edited_by(what.folder)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=test.given.command or typed_command("stress"),
        seed=test.config.edit.seed,
        predictor_seed=seed,
        minutes={step: test.minutes.get(step, 0.0) for step in STEPS},
        hashes=Hashes(
            generator=what.bundle.hash,
            stress_set=what.hash,
            predictors={model.key: {training: model.hash} for model in test.predictors},
            runs={training: test.hash},
        ),
        config={name: what.determines[name] for name in ("editor", "mask_strategy", "edit")},
    )


def _hash(test: StressTest) -> str:
    """Of all that determines the results: the edits, the predictors, the images they see, and the rules."""
    data = test.requested.data
    tested = {f"in-distribution-{model.key}": model.own_test for model in test.predictors} | dict(data.cells)
    tested |= {"shifted": data.shifted} if data.shifted is not None else {}
    return content_hash([
        test.requested.hash,
        {model.key: model.hash for model in test.predictors},
        {name: fingerprint(dataset) for name, dataset in tested.items()},
        test.config.n_gallery,
        asdict(replace(test.rules, fail_on=None)),
        OmegaConf.to_container(test.config.checks, resolve=True),
        test.groups,
        str(operating_point(test.config) or ""),
    ])  # fmt: skip


def operating_point(config: DictConfig) -> OperatingPoint | None:
    """What the configuration asks the predictors to reach on in-distribution images, if it does."""
    asked = config.predictor.get("operating_point") or {}
    given = {str(name): share for name, share in asked.items() if share is not None}
    return OperatingPoint(**given) if given else None


def _check_given(predictors: DictConfig) -> None:
    """See the mistakes in predictors whose folder is given."""
    absent = trained.missing(predictors)
    for key, node in predictors.items():
        if key not in absent and isinstance(node, DictConfig) and "folder" in node:
            instantiate(node, _convert_="all")
