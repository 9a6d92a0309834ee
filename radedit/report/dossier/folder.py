"""A dossier as a folder, and as a ZIP with the same bytes whenever it is written of the same run."""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import radedit
from radedit.data.io.atomic import write_atomically
from radedit.data.io.checksums import FILE as SUMS
from radedit.data.io.checksums import digest_of, write_sums
from radedit.data.io.provenance import PLACE
from radedit.harness.evidence.results import schema
from radedit.harness.sweep.results import Sweep
from radedit.report.dossier.content import (
    data_of,
    limits_of,
    packages,
    rules_of,
    software_csv,
    without_patients,
)
from radedit.report.dossier.crosswalk import Crosswalk
from radedit.report.environment import environment
from radedit.report.sweep.folder import write_sweep_folder

STATEMENT_MAX = 2**20  # bytes of the user's own statement
WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say: its bytes do not depend on the clock
SCHEMA = "results.schema.json"  # has #/$defs/…
TEXTS = {".html", ".json", ".csv", ".md", ".xml"}
CONTENTS = {  # file → what it is
    "index.html": "This page.",
    "report.html": "The report: what was asked, what was found, checks and limits.",
    "certificate.pdf": "The verdict on a page, to sign and file.",
    "results.json": "All numbers, in the form of results.schema.json.",
    "sweep.json": "The same of all seeds and variants together.",
    "verdict.json": "The verdicts for machines; junit.xml is the same for CI.",
    "table.csv": "The table of the report.",
    "rules.json": "The rules, and when they were fixed.",
    "software.csv": "What edited, what tested, what is installed, with licences.",
    "crosswalk.csv": "Which items of guidance this file answers, and which not.",
    "statement.md": "The submitter's statement, as given.",
    SUMS: "Checksums: sha256sum -c SHA256SUMS",
}


def write_dossier(
    sweep: Sweep, pictures: Mapping[str, Path], out: Path, *, statement: str | None = None, images: bool | None = None
) -> Path:
    """Write a dossier as `<out>/<scenario>-<hash>` and `<out>/<scenario>-<hash>.zip`; older ones are replaced.

    Args:
        sweep: What was found.
        pictures: Variant → folder that has the pictures of its gallery.
        out: Folder of dossiers.
        statement: The submitter's statement of purpose, population and data, in Markdown or plain text.
        images: Whether pictures and ids of records go in; None includes those of phantoms only.

    Returns:
        The ZIP.

    Raises:
        ValueError: If the statement is too long, or a file would name a folder of this machine.
    """
    if statement is not None and len(statement.encode()) > STATEMENT_MAX:
        raise ValueError(f"statement has more than {STATEMENT_MAX} bytes. Allowed is a text of a few pages.")
    _check("statement.md", statement or "")
    shown = sweep.setting == "phantom" if images is None else images
    sweep = sweep if shown else without_patients(sweep)
    out.mkdir(parents=True, exist_ok=True)
    folder = out / f"{sweep.name}-{sweep.hash[:12]}"
    with tempfile.TemporaryDirectory(dir=out, prefix=".dossier-") as temporary:
        made = Path(temporary) / folder.name
        write_sweep_folder(sweep, made, pictures)
        _write_statements(made, sweep, statement, shown)
        _check_places(made)
        names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
        write_sums(made / SUMS, {name: digest_of((made / name).read_bytes()) for name in names})
        content = _zipped(made, [*names, SUMS])
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    write_atomically(folder.with_suffix(".zip"), content)
    return folder.with_suffix(".zip")


def _write_statements(folder: Path, sweep: Sweep, statement: str | None, shown: bool) -> None:
    installed = packages()
    parts = {"images"} if shown else set()
    parts |= {"subgroups"} if getattr(sweep.first, "subgroups", None) else set()
    crosswalk = Crosswalk.of(parts)
    rules = rules_of(sweep)
    files = {
        "rules.json": _json(rules),
        SCHEMA: _json(schema()),
        "software.csv": software_csv(sweep, installed),
        "crosswalk.csv": crosswalk.csv(),
        **({"statement.md": statement} if statement is not None else {}),
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} | {"index.html", SUMS}
    listed = [
        (path, CONTENTS.get(path.rpartition("/")[2], ""))
        for path in sorted(there)
        if not {"pictures", "gallery"} & {*path.split("/")[:-1]}
    ]
    page = environment().get_template("dossier.html.j2").render(
        sweep=sweep, crosswalk=crosswalk.documents, rules=rules, data=data_of(sweep), limits=limits_of(sweep),
        statement=statement, listed=listed, shown=shown, installed=len(installed), version=radedit.__version__,
    )  # fmt: skip
    write_atomically(folder / "index.html", page.encode())


def _check_places(folder: Path) -> None:
    """See that no file names a folder of this machine."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in TEXTS and path.name != SCHEMA:
            _check(path.name, words_of(path))


def _check(name: str, text: str) -> None:
    if found := PLACE.search(text):
        raise ValueError(
            f"{name} would name a place on this machine, {found[0]!r}. What is passed on names none: take it out of "
            "the statement, or of the names of models and images."
        )


def words_of(path: Path) -> str:
    """The text of a file; of a page without its tags, styles and scripts."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>", " ", text) if path.suffix == ".html" else text


def _zipped(folder: Path, names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            info = zipfile.ZipInfo(f"{folder.name}/{name}", WHEN)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(info, (folder / name).read_bytes())
    return buffer.getvalue()


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
