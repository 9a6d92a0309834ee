"""A sweep's folder: the same runs give the same, whatever their order, and every number is where a dataset looks."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from radedit.api.result import load_result
from radedit.data.io.checksums import FILE as SUMS
from radedit.harness.evidence.results import load
from radedit.harness.statistics import means as statistics
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.sweep.finished_run import read_run
from radedit.harness.sweep.pooled import pool, pooled_figures
from radedit.harness.sweep.results import Sweep, load_sweep
from radedit.report.sweep import folder as sweep_folder
from radedit.report.sweep.figure5 import PAPER_CHANGES
from radedit.report.sweep.folder import Finished, write_sweep
from radedit.report.sweep.page import write_report
from radedit.report.sweep.run_folder import seal_run
from radedit.report.sweep.table import csv_table, tables
from radedit.report.words import numbers
from radedit.report.words.findings import editor_findings, findings
from tests.made_up_runs import ADDITIONS, PAIR, addition_run, removal_run
from tests.report.sweep.test_page import Page

NAMED = {prompt: (key, key.partition("_")[0]) for key, (_, prompt, _) in ADDITIONS.items()}


@pytest.fixture(autouse=True, scope="module")
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 200)
        yield


def swept(folders: list[Path], out: Path) -> Finished:
    return write_sweep([read_run(folder) for folder in folders], out, NAMED)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three seeds of a removal. Not to be written to."""
    out = tmp_path_factory.mktemp("stress")
    return [removal_run(out, seed) for seed in range(3)]


@pytest.fixture(scope="module")
def removal(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(runs, tmp_path_factory.mktemp("sweeps")).folder


@pytest.fixture(scope="module")
def of_one(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of one seed. Not to be written to."""
    return swept(runs[:1], tmp_path_factory.mktemp("of-one")).folder


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and certificates are no part of the test."""
    for name in ("write_report", "write_certificates"):
        monkeypatch.setattr(sweep_folder, name, lambda *_: None)


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("additions")
    folders = [addition_run(out / "stress", addition, seed) for addition in reversed(ADDITIONS) for seed in range(2)]
    return swept(folders, out / "sweeps").folder


@pytest.fixture(scope="module")
def page(removal: Path) -> Page:
    return Page((removal / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page_of_population(population: Path) -> Page:
    return Page((population / "report.html").read_text(encoding="utf-8"))


def names(sweep: Sweep) -> set[str]:
    return {predictor.name for variant in sweep.variants for predictor in variant.results.predictors}


def test_order_of_runs_does_not_matter(runs: list[Path], removal: Path, tmp_path: Path) -> None:
    again = swept([*reversed(runs), runs[0]], tmp_path).folder
    assert again.name == removal.name
    for file in ("sweep.json", "table.csv", "verdict.json", "junit.xml", "report.html", "results.json"):
        assert (again / file).read_bytes() == (removal / file).read_bytes(), file


def test_page_of_several_seeds_is_one_of_a_run(removal: Path, page: Page) -> None:
    results = load(removal)
    assert {row.seeds for row in results.table} == {3} and "crossed" in results.interval
    sections = {attributes.get("id") for attributes in page.all("section")}
    assert {"verdicts", "table", "changes", "attribution", "seeds", "agreement", "gallery", "provenance"} <= sections
    assert results.predictor_seed is None and results.predictor("biased").seeds == [0, 1, 2]
    assert results.hashes.predictors["biased"].keys() == {"Seed 0", "Seed 1", "Seed 2"}
    assert "Seed 1: Only seed 1 says this." in results.notes
    assert not [path for path in removal.iterdir() if path.is_dir() and path.name != "pictures"]


def test_sweep_of_one_seed_is_its_run(runs: list[Path], of_one: Path, tmp_path: Path) -> None:
    assert load(of_one) == load(runs[0]) and csv_table(load_sweep(of_one)) == csv_table(load_sweep(runs[0]))
    alone = write_report(shutil.copytree(runs[0], tmp_path / runs[0].name))
    of_run, of_sweep = (Page(path.read_text(encoding="utf-8")) for path in (alone, of_one / alone.name))
    for digest in (load_sweep(runs[0]).hash, load_sweep(of_one).hash):
        of_run.html, of_sweep.html = (page.html.replace(digest, "") for page in (of_run, of_sweep))
    assert of_run.html == of_sweep.html
    assert "each predictor was trained once" in of_run.words and "over 1 trainings" not in of_run.words


def test_pooling_one_run_changes_nothing(runs: list[Path]) -> None:
    finished = read_run(runs[0])
    results = finished.results
    found = pooled_figures(pool([finished.predictions]), results.scenario, results.rules, results.score.cosines)
    assert found.table == results.table and found.verdicts == results.verdicts


def test_curve_at_the_threshold_is_the_table(runs: list[Path]) -> None:
    finished = read_run(runs[0])
    found = pooled_figures(
        pool([finished.predictions]), finished.results.scenario, finished.results.rules, finished.results.score.cosines
    )
    row = next(row for row in found.table if row.data == "synthetic (kept)")
    curve = next(curve for curve in found.kept_curve if curve.predictor == row.predictor)
    point = next(point for point in curve.points if point.threshold == 0.2)
    assert point.n == row.n and point.value == row.accuracy
    counts = [point.n for point in curve.points]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("which", ["page", "page_of_population"])
def test_page_is_well_formed_and_self_contained(which: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(which)
    assert not page.errors
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert not re.search(r"""src=["'](?!data:)|@import|https?://(?!www\.w3\.org)""", page.html)
    links = {(a["href"] or "") for a in page.all("a")}
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(ids)
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", page.words)


def test_links_lead_to_the_variants_pages(population: Path, page_of_population: Page) -> None:
    links = {a["href"] or "" for a in page_of_population.all("a")} - {"#main"}
    pages = {link for link in links if not link.startswith("#")}
    assert pages == {f"{key}/report.html" for key in ADDITIONS}
    assert all((population / link).is_file() for link in pages)


def test_page_has_every_predictor_and_the_papers_numbers(removal: Path, page: Page) -> None:
    for text in (*names(load_sweep(removal)), "99.1 ± 0.2", "5.5 ± 2.1", "74.4 ± 3.0", "76.0 ± 7.7"):
        assert text in page.words, text
    assert "not comparable with the paper’s" in page.words


def test_finding_comes_first_with_its_interval(page: Page) -> None:
    costs = r"The shift costs the biased classifier (\d+).points of accuracy more than the unbiased"
    lede = re.search(costs, page.words)
    assert lede is not None and 70 <= int(lede[1]) <= 90
    assert page.words.index(lede[0]) < page.words.index("Verdicts")


def test_every_hash_is_in_the_provenance(removal: Path, page: Page) -> None:
    sweep = load_sweep(removal)
    for digest in (sweep.hash, *(run.run for run in sweep.runs), *(run.stress_set for run in sweep.runs)):
        assert digest in page.words
    for of_one in sweep.variants[0].results.hashes.predictors.values():
        assert all(digest in page.words for digest in of_one.values())


def test_consolidation_of_both_lungs_is_one_group(population: Path) -> None:
    sweep = load_sweep(population)
    assert [variant.key for variant in sweep.variants] == ["oedema", "consolidation_left", "consolidation_right"]
    assert [(group.group, group.members) for group in sweep.groups] == [
        ("oedema", []), ("consolidation", ["consolidation_left", "consolidation_right"]),
    ]  # fmt: skip
    rows = [variant.results.row("weak", "synthetic (kept)") for variant in (*sweep.variants[1:], sweep.groups[1])]
    left, right, both = (row for row in rows if row is not None)
    assert both.n == left.n + right.n and both.seeds == 2
    assert left.main.value is not None and right.main.value is not None
    assert both.main.value == pytest.approx((left.main.value + right.main.value) / 2)
    assert not sweep.groups[1].results.verdicts  # judged by their parts, and not twice


def test_figure_5_has_the_groups_and_the_papers_changes(page_of_population: Page) -> None:
    for text in ("Oedema", "Consolidation", "Weak segmenter", "Strong segmenter", "arXiv:2312.12865v3", "Hausdorff"):
        assert text in page_of_population.words, text
    for group in ("oedema", "consolidation"):
        for change in PAPER_CHANGES[group].values():
            assert f"−{abs(change)}" in page_of_population.words


def test_run_of_an_addition_stands_beside_figure_5(tmp_path: Path) -> None:
    sweep = load_sweep(addition_run(tmp_path, "oedema"))
    (variant,) = sweep.variants
    assert (variant.key, variant.name) == ("oedema", "Oedema")
    for change in PAPER_CHANGES["oedema"].values():
        assert f"−{abs(change)} " in tables(sweep)


def test_csv_has_a_line_for_every_predictor_set_and_measure(population: Path) -> None:
    rows = list(csv.DictReader((population / "table.csv").open()))
    assert {row["variant"] for row in rows} == {*ADDITIONS, "consolidation"}
    assert {row["measure"] for row in rows} >= {"dice", "hd95"}
    assert all(row["std"] for row in rows if row["measure"] == "dice")


def test_verdicts_of_additions_are_told_apart(population: Path) -> None:
    verdicts = json.loads((population / "verdict.json").read_text())["verdicts"]
    assert [verdict["predictor"] for verdict in verdicts] == [
        f"{variant}/{key}"
        for variant in ("oedema", "consolidation_left", "consolidation_right")
        for key in ("weak", "strong")
    ]
    suite = ElementTree.parse(population / "junit.xml").getroot()
    assert len(suite.findall(".//testcase")) == 6


def test_every_variant_has_a_certificate(population: Path) -> None:
    assert all((population / key / "certificate.pdf").read_bytes().startswith(b"%PDF") for key in ADDITIONS)


@pytest.mark.usefixtures("no_drawing")
def test_two_editors_are_two_variants(tmp_path: Path) -> None:
    folders = [removal_run(tmp_path / "stress", 0, editor=editor) for editor in ("radedit", "lance")]
    sweep = load_sweep(swept(folders, tmp_path / "sweeps").folder)
    assert sorted(variant.key for variant in sweep.variants) == ["acquisition-lance", "acquisition-radedit"]
    assert len(sweep.groups) == 2
    said = findings([group.results for group in sweep.groups])
    assert "on edits by RadEdit" in said and "on edits by LANCE" in said and "addition" not in said
    assert {(one.one, one.other) for one in sweep.editors} == {("lance", "radedit")}
    assert {one.predictor for one in sweep.editors} == set(PAIR)
    for one in sweep.editors:
        assert one.difference.value == pytest.approx(one.of_one.value - one.of_other.value)
    (first, _) = editor_findings(sweep)
    assert "on the edits of LANCE than on those of RadEdit, same 33 records" in first


OTHER: list[tuple[str, dict[str, Any]]] = [("setting", {"setting": "open"}), ("rules", {"limit": 0.2})]


@pytest.mark.parametrize(("what", "changed"), OTHER)
def test_runs_that_do_not_belong_together_are_refused(what: str, changed: dict[str, Any], tmp_path: Path) -> None:
    folders = [removal_run(tmp_path, 0), removal_run(tmp_path, 1, **changed)]
    with pytest.raises(ValueError, match=f"do not belong together: the {what} is"):
        swept(folders, tmp_path / "sweeps")


def test_runs_of_two_scenarios_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the scenario is .* in one and .* in the other"):
        swept([removal_run(tmp_path, 0), addition_run(tmp_path)], tmp_path / "sweeps")


def test_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere does not exist, so it is no folder of a finished stress test"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no results.json"):
        read_run(tmp_path)


def test_run_of_an_earlier_version_says_what_to_do(tmp_path: Path) -> None:
    folder = removal_run(tmp_path, 0)
    (folder / "predictions.csv").unlink()
    with pytest.raises(ValueError, match="has no predictions.csv.*Run its command again .python -m radedit.stress"):
        read_run(folder)


@pytest.mark.parametrize("name", ["results.json", "sweep.json"])
def test_file_of_an_earlier_version_says_what_to_do(name: str, of_one: Path, tmp_path: Path) -> None:
    folder = removal_run(tmp_path, 0) if name == "results.json" else shutil.copytree(of_one, tmp_path / "sweep")
    found = json.loads((folder / name).read_text())
    del found["schema_version"]
    (folder / name).write_text(json.dumps(found))
    (folder / SUMS).unlink(missing_ok=True)
    with pytest.raises(ValueError, match=f"{name} was written by an earlier version.*Run its command again"):
        read_run(folder) if name == "results.json" else load_sweep(folder)


@pytest.mark.parametrize(
    ("path", "place"), [(["results", "table"], "variants[0].results.table"), (["key"], "variants[0].key")]
)
def test_damaged_sweep_is_refused_with_the_place(path: list[str], place: str, of_one: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(of_one, tmp_path / "sweep"))
    found = json.loads((folder / "sweep.json").read_text())
    node = found["variants"][0]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = 7
    (folder / "sweep.json").write_text(json.dumps(found))
    (folder / SUMS).unlink()
    with pytest.raises(ValueError, match=re.escape(f"sweep.json: {place} is 7; expected")):
        load_sweep(folder)


def test_run_whose_sets_have_an_empty_name_is_reported(runs: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs[0], tmp_path / "run"))
    found = json.loads((folder / "results.json").read_text())
    for row in found["table"]:
        row["data"] = "" if row["data"].startswith("synthetic (all") else row["data"]
    (folder / "results.json").write_text(json.dumps(found))
    assert (swept([folder], tmp_path / "sweeps").folder / "report.html").is_file()


@pytest.mark.usefixtures("no_drawing")
def test_model_that_lacks_a_term_of_the_attribution_has_its_others_below_their_names(
    runs: list[Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(runs[0], tmp_path / "run"))
    found = json.loads((folder / "results.json").read_text())
    of_one, of_other = (entry["split"] for entry in found["attribution"])
    missing = of_one.pop(0)["name"]
    (folder / "results.json").write_text(json.dumps(found))
    lines = (swept([folder], tmp_path / "sweeps").folder / "tables.md").read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if missing in line)
    names, _, one, other = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[head : head + 4])
    for cells, split in ((one, of_one), (other, of_other)):
        said = dict(zip(names, cells, strict=True))
        assert {name: said[name] for name in said.keys() & {term["name"] for term in of_other}} == {
            term["name"]: "–" for term in of_other
        } | {term["name"]: numbers.change(Estimate(**term["value"])) for term in split}


def flip(path: Path) -> None:
    """One bit of one digit: JSON and CSV can be read as before."""
    content = bytearray(path.read_bytes())
    content[re.search(rb"0\.\d", content).end() - 1] ^= 1  # type: ignore[union-attr]
    path.write_bytes(content)


def exchange(path: Path) -> None:
    """A picture for another one."""
    Image.new("L", (16, 16), 77).save(path)


DAMAGES = [("results.json", flip), ("predictions.csv", flip), ("picture", exchange), ("picture", Path.unlink)]


@pytest.mark.parametrize(("what", "damage"), DAMAGES)
def test_damage_of_a_run_is_named_before_it_is_read(
    what: str, damage: Callable[[Path], None], runs: list[Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(runs[0], tmp_path / "run"))
    results = load(folder)
    seal_run(folder, results)
    assert read_run(folder).results == results
    name = results.pictures[0] if what == "picture" else what
    damage(folder / name)
    said = f"{name} {'is missing' if damage is Path.unlink else 'was changed'} since. Run the command that made it"
    with pytest.raises(ValueError, match=re.escape(said)):
        read_run(folder)
    with pytest.raises(ValueError, match=re.escape(said)):
        load_result(folder)
    if name == "results.json":  # as those read it who need nothing else of a run
        with pytest.raises(ValueError, match=re.escape(said)):
            load(folder)


@pytest.mark.usefixtures("no_drawing")
@pytest.mark.parametrize(("what", "damage"), [("sweep.json", flip), *(d for d in DAMAGES if d[0] != "predictions.csv")])
def test_damage_of_a_sweep_is_named_before_it_is_read(
    what: str, damage: Callable[[Path], None], runs: list[Path], of_one: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(of_one, tmp_path / of_one.name))
    sweep = load_sweep(folder)
    name = sweep.first.pictures[0] if what == "picture" else what
    damage(folder / name)
    with pytest.raises(ValueError, match=re.escape(f"{name} {'is missing' if damage is Path.unlink else 'was'}")):
        load_sweep(folder)
    done = swept(runs[:1], tmp_path)  # its command mends it
    assert done.folder == folder and load_sweep(folder) == done.sweep == sweep


def test_predictors_that_are_tested_are_those_of_the_pair(removal: Path) -> None:
    assert [predictor.key for predictor in load_sweep(removal).variants[0].results.predictors] == list(PAIR)


@pytest.mark.usefixtures("no_drawing")
def test_a_sweep_is_made_again_by_the_command_that_made_its_runs(
    runs: list[Path], removal: Path, tmp_path: Path
) -> None:
    assert load_sweep(removal).command == "python -m radedit.stress +scenario=made-up"
    other = Path(shutil.copytree(runs[0], tmp_path / "other"))
    results = json.loads((other / "results.json").read_text())
    results["command"] = "python -m radedit.stress +scenario=made-up predictor.seed=0"
    (other / "results.json").write_text(json.dumps(results))
    assert load_sweep(swept([other, runs[1]], tmp_path).folder).command.startswith("python -m radedit.sweep runs=[")
