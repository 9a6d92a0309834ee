"""The file for a regulator: complete, the same bytes each time, and silent about machines and patients."""

from __future__ import annotations

import csv
import getpass
import hashlib
import io
import json
import re
import socket
import zipfile
from pathlib import Path

import pytest
import yaml

from radedit import dossier
from radedit.data.io.provenance import PLACE
from radedit.harness.evidence.results import Skipped
from radedit.report.dossier import crosswalk as table
from radedit.report.dossier.content import packages
from radedit.report.dossier.crosswalk import Crosswalk
from radedit.report.dossier.folder import words_of, write_dossier
from tests.commands import run
from tests.made_up_runs import removal_run

DOCUMENTS = ("FDA, draft", "FDA, guidance on pre", "EU AI Act, Article 15", "ISO/TS 24971-2", "TRIPOD+AI", "CLAIM")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return removal_run(tmp_path_factory.mktemp("stress") / "stress")


@pytest.fixture(scope="module")
def made(one: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A dossier with a statement: its ZIP, and path → bytes of what is in it."""
    return written(one, tmp_path_factory.mktemp("dossiers"), statement="Purpose: triage.")


def written(folder: Path, out: Path, **options: object) -> tuple[Path, dict[str, bytes]]:
    """The ZIP, and path → bytes of what is in it."""
    path = write_dossier(*dossier.finished(folder), out, **options)
    with zipfile.ZipFile(path) as archive:
        return path, {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def test_holds_what_a_regulator_asks_for_and_all_checksums_hold(made: tuple[Path, dict[str, bytes]]) -> None:
    path, files = made
    named = {name.rpartition("/")[2] for name in files}
    assert {"index.html", "report.html", "certificate.pdf", "results.json", "results.schema.json", "rules.json",
            "software.csv", "crosswalk.csv", "statement.md", "verdict.json", "SHA256SUMS"} <= named  # fmt: skip
    sums = dict(line.split("  ")[::-1] for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {n: hashlib.sha256(b).hexdigest() for n, b in files.items() if n != "SHA256SUMS"}
    folder = path.with_suffix("")
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == files


def test_rules_say_what_they_were_when_the_run_began_and_whose_clock_it_was(
    one: Path, made: tuple[Path, dict[str, bytes]]
) -> None:
    _, files = made
    rules, results = json.loads(files["rules.json"]), json.loads((one / "results.json").read_text())
    assert rules["rules"] == results["rules"] and list(rules["runs"].values()) == list(
        results["hashes"]["runs"].values()
    )
    assert rules["fixed"]["not_later_than"] is None or rules["fixed"]["not_later_than"] <= rules["fixed"]["finished"]
    assert "no third party attests" in rules["fixed"]["clock"]


@pytest.mark.slow
def test_same_run_gives_the_same_bytes(one: Path, made: tuple[Path, dict[str, bytes]]) -> None:
    first = made[0].read_bytes()
    again, _ = written(one, made[0].parent, statement="Purpose: triage.")  # in place of the older one
    assert again == made[0] and again.read_bytes() == first


def test_names_no_place_machine_or_user(one: Path, made: tuple[Path, dict[str, bytes]]) -> None:
    path, files = made
    for name, content in files.items():
        text = content.decode("utf-8", "replace")
        assert str(path.parent) not in text and str(one.parent) not in text, name
        if not name.endswith((".pdf", ".png", "schema.json")):
            assert not PLACE.search(words_of(path.with_suffix("") / name)), name
        for person in {getpass.getuser(), socket.gethostname()} - {"root", "localhost"}:
            assert not re.search(rf"\b{re.escape(person)}\b", text), name


def test_statement_that_names_a_place_is_refused(one: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="statement.md would name a place on this machine, '/home/anna/study/'"):
        written(one, tmp_path, statement="Data: /home/anna/study/")
    assert not list(tmp_path.glob("*")), "nothing half-written stays"


def test_patients_stay_home_unless_asked_for_in_words(tmp_path: Path) -> None:
    skipped = [Skipped(record="p900-7", reason="Record 'p900-7': MRN123.png is damaged")]
    folder = removal_run(tmp_path / "stress", setting="manifest", skipped=skipped, failed=["p003-0"])
    _, without = written(folder, tmp_path / "a")
    ids = re.compile(r"\bp\d{3}-\d\b|MRN123")
    assert not [name for name, content in without.items() if ids.search(content.decode("utf-8", "replace"))]
    assert not [name for name in without if name.endswith(".png")] and b"records are numbered" in without["index.html"]
    _, with_ = written(folder, tmp_path / "b", images=True)
    assert [name for name in with_ if name.endswith(".png")] and any(
        ids.search(c.decode("utf-8", "replace")) for c in with_.values()
    )


def test_crosswalk_names_each_document_with_its_source_and_claims_nothing(
    made: tuple[Path, dict[str, bytes]],
) -> None:
    _, files = made
    rows = list(csv.DictReader(io.StringIO(files["crosswalk.csv"].decode())))
    assert all(any(row["document"].startswith(name) for row in rows) for name in DOCUMENTS)
    assert all(row["source"].startswith("https://") and row["remark"] for row in rows)
    for row in rows:
        where = row["where"].partition("#")
        assert (row["answered"] == "no") or where[0] in files, row
        assert not where[2] or f'id="{where[2]}"'.encode() in files["index.html"], row
    for name in DOCUMENTS:  # each leaves something open
        assert any(row["answered"] != "yes" for row in rows if row["document"].startswith(name))
    text = files["index.html"].decode().lower()
    assert "no claim of conformity" in text and not re.search(r"\b(complies|compliant|conforms|certified)\b", text)


def test_item_that_needs_a_part_which_the_run_lacks_is_not_answered() -> None:
    raw = yaml.safe_load((Path(table.__file__).parent / "crosswalk.yaml").read_text())
    needing = [item["item"] for document in raw for item in document["items"] if item.get("needs") == "subgroups"]
    for parts, answers in ((set(), {"no"}), ({"subgroups"}, {"part"})):
        found = {item.item: item.answer for document in Crosswalk.of(parts).documents for item in document.items}
        assert needing and {found[item] for item in needing} == answers


def test_software_has_versions_and_licences(made: tuple[Path, dict[str, bytes]]) -> None:
    rows = list(csv.DictReader(io.StringIO(made[1]["software.csv"].decode())))
    installed = {row["package"].lower(): row for row in rows if row["where"] == "installed"}
    assert installed["torch"]["version"] and "BSD" in installed["torch"]["licence"]
    assert [p.name.lower() for p in packages()] == sorted({p.name.lower() for p in packages()})


@pytest.mark.slow
def test_command_writes_the_same_dossier_of_a_sweep_as_of_its_run(
    one: Path, made: tuple[Path, dict[str, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep, pictures = dossier.finished(one)
    from radedit.report.sweep.folder import write_sweep_folder

    write_sweep_folder(sweep, tmp_path / "sweep", pictures)
    (tmp_path / "s.md").write_text("Purpose: triage.")
    assert (
        run(dossier.main, [f"run={tmp_path / 'sweep'}", f"out={tmp_path / 'out'}", f"statement={tmp_path / 's.md'}"])
        == 0
    )
    (path,) = (tmp_path / "out").glob("*.zip")
    assert str(path) in capsys.readouterr().out and path.read_bytes() == made[0].read_bytes()


def test_folder_that_is_no_run_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(dossier.main, [f"run={tmp_path}", f"out={tmp_path / 'out'}"]) == 2
    assert "no folder of a finished stress test" in capsys.readouterr().err
