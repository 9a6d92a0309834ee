"""`python -m radedit.stress`: one run from images to report, found again, and mistakes that are named at once."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import radedit
from radedit import stress
from radedit.app.configuration import close_logger
from radedit.data.io.provenance import git_commit
from radedit.data.stress_set import read_rows
from radedit.harness.evidence.results import load
from radedit.harness.stress.block_size import Found
from radedit.models.bundle.bundle import hash_folder
from radedit.models.bundle.latent_predictor import LatentPredictor
from radedit.models.predictors import Network, load_predictor
from radedit.report.wandb.log import slug
from tests.commands import run, save_tiny_predictors
from tests.tiny_bundle import SIZE

SCENARIO = "+scenario=manifestation"
N = 3


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments of the smallest whole run: 32 px, two steps, random weights."""
    return [
        SCENARIO, "preset=smoke", "seeds='0'", "logger=csv", f"size={SIZE}", f"n={N}", "n_also=1", "n_cells=1",
        "n_own=4",
        "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1", "anatomy=null", f"generator.folder={tiny_bundle}",
        *save_tiny_predictors(tmp_path_factory.mktemp("predictors")),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run. Not to be written to."""
    folder = tmp_path_factory.mktemp("stress")
    assert run(stress.main, [*tiny, f"out={folder}", "edit.seed=3"]) == 0
    return folder


@pytest.fixture
def folder(out: Path) -> Path:
    (folder,) = (out / "stress").glob("manifestation-*")
    return folder


@pytest.fixture
def stress_set(out: Path) -> Path:
    (folder,) = (out / "stress_sets").glob("manifestation-*")
    return folder


@pytest.fixture
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Filled with the name of every network that is asked something."""
    asked: list[str] = []
    generator, predictor = LatentPredictor.__call__, Network.predict

    def ask(name: str, network: Callable[..., Any]) -> Callable[..., Any]:
        def asking(*arguments: Any) -> Any:
            asked.append(name)
            return network(*arguments)

        return asking

    monkeypatch.setattr(LatentPredictor, "__call__", ask("U-Net", generator))
    monkeypatch.setattr(Network, "predict", ask("predictor", predictor))
    yield asked


def test_run_leaves_report_table_results_and_set(folder: Path, stress_set: Path) -> None:
    for file in (folder / "report.html", folder / "table.csv", folder / "results.json", stress_set / "manifest.csv"):
        assert file.stat().st_size > 100, file
    assert load(folder).name == "manifestation"


def test_every_source_is_edited_or_listed(results: dict[str, Any], stress_set: Path) -> None:
    counts = results["counts"]
    assert counts["sources"] == N == counts["edited"] + counts["skipped"]
    assert counts["edited"] == counts["kept"] + counts["rejected"] + counts["undefined"]
    assert counts["edited"] == len({row["attr_record"] for row in read_rows(stress_set)}) > 0


def test_table_is_the_results(folder: Path, results: dict[str, Any]) -> None:
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["predictor"], r["data"], int(r["n"])) for r in rows] == [
        (r["predictor"], r["data"], r["n"]) for r in results["table"]
    ]
    assert {r["predictor"] for r in rows} == {p["key"] for p in results["predictors"]} and len(
        results["predictors"]
    ) == 4


def test_results_say_where_they_come_from(
    results: dict[str, Any], tiny_bundle: Path, tiny: list[str], stress_set: Path
) -> None:
    meta = json.loads((stress_set / "meta.json").read_text())
    assert results["seed"] == 3 and results["commit"] == (git_commit() or "")
    assert results["command"].startswith("python -m radedit.stress +scenario=manifestation")
    assert results["versions"]["radedit"] == radedit.__version__ and {"torch", "python"} <= set(results["versions"])
    assert results["hashes"]["generator"] == hash_folder(tiny_bundle)
    assert results["hashes"]["stress_set"] == meta["content_hash"]
    folders = dict(argument.removeprefix("predictors.").split(".folder=") for argument in tiny if ".folder=" in argument
                   and argument.startswith("predictors."))  # fmt: skip
    assert results["hashes"]["predictors"] == {key: {"Seed 0": load_predictor(f).hash} for key, f in folders.items()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", results["created"])
    assert results["config"]["edit"]["steps"] == 2 and results["config"]["editor"]["w"] == 4


def test_pictures_of_the_gallery_are_the_sets(folder: Path, results: dict[str, Any], stress_set: Path) -> None:
    rows = {row["id"]: row for row in read_rows(stress_set)}
    assert len(results["gallery"]) == results["counts"]["edited"]
    for example in results["gallery"]:
        for kind, name in {"source": "source", "edit": "radedit", "counterfactual": "counterfactual"}.items():
            picture = (folder / example["images"][name]).read_bytes()
            assert picture == (stress_set / rows[f"{example['record']}/{kind}"]["image"]).read_bytes()


@pytest.mark.slow
def test_second_run_asks_no_network(
    out: Path, tiny: list[str], folder: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*") if path.suffix in (".png", ".jsonl", ".csv")}
    table = json.loads((folder / "results.json").read_text())["table"]
    assert run(stress.main, [*tiny, f"out={out}", "edit.seed=3"]) == 0
    assert calls == []
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads((folder / "results.json").read_text())["table"] == table
    assert f"All {N} records are edited already" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "same_set"),
    [
        ("predictors.confounded_classifier.own_test.n=5", True),
        ("dataset.shifted.drain=0", True),
        ("edit.seed=4", False),
        ("dataset.world.drain_given=[0.5,0.5]", False),
    ],
)
def test_what_changes_images_or_edits_has_another_folder(
    change: str, same_set: bool, out: Path, tiny: list[str], folder: Path, stress_set: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Old predictions are never taken for those on other images, and edits are made again only where they differ."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("radedit.app.stress_test.generate", stop)
    assert run(stress.main, [*tiny, f"out={out}", "edit.seed=3", change]) == 130
    printed = dict(re.findall(r"^(stress set|results): +(.*)$", capsys.readouterr().out, re.MULTILINE))
    assert (Path(printed["stress set"]) == stress_set) is same_set
    assert Path(printed["results"]) != folder


# Mistakes. A network that is asked anything would be long work.

MISTAKES = {
    "no scenario": (
        ["preset=smoke"],
        "No scenario was given. Say +scenario=… with one of: acquisition, manifestation, population",
    ),
    "unknown scenario": (["+scenario=manifestatoin"], "no scenario 'manifestatoin'. Did you mean manifestation"),
    "misspelt key": ([SCENARIO, "edit.stepps=3"], "no 'edit.stepps' in conf/stress.yaml. Did you mean edit.steps"),
    "misspelt preset": ([SCENARIO, "preset=smokey"], "There is no preset 'smokey'. Did you mean smoke"),
    "no key": ([SCENARIO, "smoke"], "'smoke' can't be read. Arguments are key=value"),
    "no block": ([SCENARIO, "edit.block=large"], "edit.block is 'large'; allowed are whole numbers from 1, and auto."),
    "block of nothing": ([SCENARIO, "edit.block=0"], "edit.block is 0; allowed are whole numbers from 1, and auto."),
    "no generator": ([SCENARIO, "generator.folder=nowhere"], "No generator bundle in"),
    "no predictor": ([SCENARIO, "predictors.confounded_classifier.folder=nowhere"], "No predictor in"),
    "out is below a file": ([SCENARIO, "out=notes.txt/out"], "notes.txt/out: Not a directory"),
    "no such masks": ([SCENARIO, "mask_strategy=boxes_complement"], "has no boxes 'opacities'; it has none. Choose a"),
    "truncated weights": (
        [SCENARIO, "generator.folder=truncated"],
        "Part 'unet' of the bundle in truncated/unet can't",
    ),
    "truncated predictor": ([SCENARIO, "predictors.unconfounded_segmenter.folder=cut"], "predictor in cut is damaged"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_in_one_line_before_any_long_work(
    mistake: str, tiny: list[str], tiny_bundle: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, message = MISTAKES[mistake]
    Path("notes.txt").write_text("not a folder")
    shutil.copytree(tiny_bundle, "truncated")
    weights = Path("truncated/unet/diffusion_pytorch_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:2000])
    shutil.copytree(tiny[-1].partition("=")[2], "cut")
    Path("cut/model.safetensors").write_bytes(b"\0" * 40)

    rest = [argument for argument in tiny if argument.partition("=")[0] not in {a.partition("=")[0] for a in arguments}]
    if mistake == "no scenario":
        rest = []
    assert run(stress.main, [*rest, "logger=csv", *arguments]) != 0
    captured = capsys.readouterr()
    assert calls == []
    assert captured.err.startswith("error: ") and message in captured.err
    assert "\n" not in captured.err.strip() and "Traceback" not in captured.err + captured.out


def test_predictor_of_another_finding_is_refused_before_it_is_asked(
    tiny: list[str], calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stress.main, [*tiny, "out=out", "scenario.finding=oedema"]) == 2
    assert "detects pneumothorax; scenario manifestation removes oedema" in capsys.readouterr().err
    assert "predictor" not in calls and not Path("out/stress_sets").exists()


@pytest.mark.slow
def test_block_size_that_was_found_is_the_sets_and_is_not_looked_for_again(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[Found] = []

    def find(trial: Callable[[int], float]) -> Found:
        assert trial(2) > 0
        found.append(Found(2, {2: 0.1}))
        return found[-1]

    monkeypatch.setattr("radedit.app.stress_sets.find_block", find)
    arguments = [*tiny, "out=out", "edit.block=auto", "run=[generate]"]
    assert run(stress.main, arguments) == 0 == run(stress.main, arguments)
    (folder,) = Path("out/stress_sets").iterdir()  # one, although it was asked for twice
    assert len(found) == 1 and "edit.block=auto: 2 records together" in capsys.readouterr().out
    assert json.loads((folder / "meta.json").read_text())["fingerprint"]["edit"]["block"] == 2
    assert len(list((folder / "rows").glob("*.jsonl"))) == -(-N // 2)


@pytest.mark.slow
def test_wandb_offline_gets_configuration_metrics_edits_and_hashes(
    out: Path, tiny: list[str], results: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"MODE": "offline", "SILENT": "true", "DATA_DIR": tmp_path, "CACHE_DIR": tmp_path}.items():
        monkeypatch.setenv(f"WANDB_{name}", str(value))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    logged: list[dict[str, Any]] = []

    def look_and_close(loggers: Sequence[Any]) -> None:
        import wandb

        assert wandb.run is not None and wandb.run.offline
        logged.extend([dict(wandb.run.config), dict(wandb.run.summary)])
        close_logger(loggers)
        assert wandb.run is None  # the next job of a sweep starts its own

    monkeypatch.setattr("radedit.app.stress_test.close_logger", look_and_close)
    shutil.copytree(out, "copy")
    rest = [argument for argument in tiny if argument != "logger=csv"]
    assert run(stress.main, [*rest, "logger=wandb", "out=copy", "edit.seed=3"]) == 0

    config, summary = logged
    assert config["hashes"] == results["hashes"] and config["commit"] == results["commit"]
    assert config["edit"]["steps"] == 2 and config["scenario"]["name"] == "manifestation"
    for row in results["table"]:
        name = f"test/{row['predictor']}/{slug(row['data'])}/accuracy"
        assert summary[name] == pytest.approx(row["accuracy"]["value"])
    assert summary["counts/sources"] == N and config["editor_name"] == "radedit"

    (table,) = Path("copy").rglob("offline-run-*/files/media/table/edits*.table.json")
    rows = json.loads(table.read_text())
    assert rows["columns"][:3] == ["record", "kept", "cosine"]
    assert [row[0] for row in rows["data"]] == [example["record"] for example in results["gallery"]]
    assert list((table.parents[1] / "html").glob("report*.html"))
    assert len(list(Path("copy").rglob("offline-run-*/*.wandb"))) == 2  # this run, and the sweep's own


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["acquisition", "manifestation", "population"])
def test_smoke_runs_the_whole_sweep(scenario: str) -> None:
    """`make smoke`, but for the logger: two seeds of every predictor are trained, for a few steps, and tested."""
    assert run(stress.main, [f"+scenario={scenario}", "preset=smoke", "logger=csv", "out=out"]) == 0
    additions = {"population": 4}.get(scenario, 1)
    folders = list(Path("out/stress").glob(f"{scenario}-*"))
    assert len(folders) == 2 * additions and len(list(Path("out/stress_sets").iterdir())) == additions
    for folder in folders:
        results = load(folder)
        assert len(results.predictors) == len(results.verdicts) == 4 and results.counts["edited"] >= 3
        assert {verdict.outcome for verdict in results.verdicts} == {"undecided"}  # so few images say nothing
        assert (folder / "report.html").stat().st_size > 100_000


@pytest.mark.slow
def test_demo_path_runs_with_what_is_shipped() -> None:
    """`make demo`, but for the logger and the numbers: shipped generator, shipped predictors."""
    few = ["seeds='0'", "training=[]", "n=4", "n_cells=4", "n_own=8", "n_also=2", "n_gallery=4", "edit.steps=4"]
    assert run(stress.main, [SCENARIO, "preset=demo", *few, "logger=csv", "out=out"]) == 0
    (folder,) = Path("out/stress").glob("manifestation-*")
    results = load(folder)
    assert len(results.predictors) == 4 and results.counts["edited"] >= 3
    weights = Path(radedit.__file__).parent / "weights"
    assert results.hashes.generator == hash_folder(weights / "phantom")
    accuracies = [results.row(predictor.key, "in-distribution test set") for predictor in results.predictors]
    assert all(row is not None and row.accuracy.value is not None and row.accuracy.value >= 0.5 for row in accuracies)
    assert (folder / "report.html").stat().st_size > 100_000
