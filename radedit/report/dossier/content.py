"""What a dossier says beside its report: rules and when they were fixed, data, software, limits."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib.metadata import distributions
from typing import Any, NamedTuple

from radedit.harness.evidence.results import Results
from radedit.harness.sweep.results import Sweep, Variant
from radedit.report.sweep.page import SETTINGS
from radedit.report.words.headline import headline
from radedit.report.words.numbers import percent

NOT_TOLD = "not stated here; the results.json of the run has it"
LICENCE = "License ::"


class Package(NamedTuple):
    """One installed package."""

    name: str
    version: str
    licence: str


def without_patients(sweep: Sweep) -> Sweep:
    """The same without pictures and ids of records, which are numbered instead."""

    def of(variant: Variant) -> Variant:
        found = variant.results
        numbers = {record: f"record-{i:05d}" for i, record in enumerate(dict.fromkeys(found.score.record), 1)}
        bare = [p.model_copy(update={"cells": [cell.model_copy(update={"picture": None}) for cell in p.cells]})
                for p in found.predictors]  # fmt: skip
        skipped = [
            each.model_copy(update={"record": f"skipped-{i:05d}", "reason": NOT_TOLD})
            for i, each in enumerate(found.skipped, 1)
        ]
        named = [numbers[record] for record in found.score.record]
        changed = {
            "gallery": [],
            "predictors": bare,
            "skipped": skipped,
            "score": found.score.model_copy(update={"record": named}),
            "failed": None if found.failed is None else [numbers.get(record, "record") for record in found.failed],
        }
        return variant.model_copy(update={"results": found.model_copy(update=changed)})

    return sweep.model_copy(update={"variants": list(map(of, sweep.variants)), "groups": list(map(of, sweep.groups))})


def rules_of(sweep: Sweep) -> dict[str, Any]:
    """The rules, what they are part of, and when they were fixed as far as the results know."""
    began = [began_of(variant.results) for variant in sweep.variants]
    known = [each for each in began if each]
    return {
        "rules": asdict(sweep.rules),
        "interval": sweep.first.interval,
        "checks": [asdict(check) for check in sweep.first.checks],
        "fixed": {
            "not_later_than": min(known) if known else None,
            "finished": sweep.created,
            "clock": "of the machine that ran the test; no third party attests it",
            "how": "The rules are part of what the hash of a run is made of: with other rules it is another run, in "
            "another folder. They were read when the command began.",
            "to_show_more": "Deposit the command and the rules before the run: a signed commit, a trusted time stamp, "
            "or a registered protocol.",
        },
        "runs": {member.folder: member.run for member in sweep.runs},
        "stress_sets": {variant.key: variant.results.hashes.stress_set for variant in sweep.variants},
        "command": sweep.command,
        "commit": sweep.first.commit,
    }


def began_of(results: Results) -> str | None:
    """When a run began: when it ended, less what its steps took; None where that is not known."""
    try:
        ended = datetime.fromisoformat(results.created)
    except ValueError:
        return None
    return (ended - timedelta(minutes=sum(results.minutes.values()))).isoformat(timespec="seconds")


def data_of(sweep: Sweep) -> list[tuple[str, str]]:
    """What the results know of the images, as a name and a value."""
    rows = [("Setting", f"{sweep.setting}: {SETTINGS.get(sweep.setting, 'not known')}")]
    for variant in sweep.variants:
        counts = ", ".join(f"{number} {name}" for name, number in variant.results.counts.items())
        rows.append((f"Images of {variant.name}" if sweep.several else "Images", counts or "not counted"))
        rows.append(("Stress set", variant.results.hashes.stress_set))
        credits = {f"{each.licence} {each.licence_url}".strip() for each in variant.results.gallery if each.licence}
        rows += [("Licence of images shown", credit) for credit in sorted(credits)]
    rows.append(("Generator", sweep.first.hashes.generator))
    for key, hashes in sweep.first.hashes.predictors.items():
        rows.append((f"Tested model {sweep.first.predictor(key).name}", ", ".join(sorted(set(hashes.values())))))
    return rows


def limits_of(sweep: Sweep) -> list[str]:
    """What must not be concluded, as sentences."""
    said = [
        "The shifted images are edited by a generative model. Performance on them predicts performance after the real "
        "shift as far as the edits are right; how far that is stands in the report's checks.",
        "One shift was tested. A pass is no proof that a model is safe, effective or free of bias.",
        f"A shift effect up to {percent(sweep.rules.limit)} points passes by the rules of this test. Whether that is "
        "acceptable is for those who answer for the risk.",
        "No clinical outcome, no reader and no workflow was observed.",
    ]
    if sweep.setting == "phantom":
        said.insert(0, "The images are drawn: nothing follows for real radiographs.")
    for variant in sweep.variants:
        said += [each for each in headline(variant.results).cautions if each not in said]
    return said


def packages() -> list[Package]:
    """All packages that are installed where the dossier is written, by name."""
    found = {}
    for each in distributions():
        about: Any = each.metadata
        name = str(about["Name"] or "")
        if not name:
            continue
        classifiers = [
            c.rpartition("::")[2].strip() for c in about.get_all("Classifier") or [] if c.startswith(LICENCE)
        ]
        stated = str(about.get("License-Expression") or "") or "; ".join(classifiers) or str(about.get("License") or "")
        first = stated.strip().splitlines()[0][:80] if stated.strip() else "not stated"
        found[name.lower()] = Package(name, str(about["Version"]), first)
    return [found[name] for name in sorted(found)]


def software_csv(sweep: Sweep, installed: Sequence[Package]) -> str:
    """What edited, what tested, and what is installed, as a table."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("where", "package", "version", "licence"))
    for variant in sweep.variants[:1]:
        found = variant.results
        for where, commit, versions in (
            ("edited", found.edited_by.commit, found.edited_by.versions),
            ("tested", found.commit, found.versions),
        ):
            if commit:
                writer.writerow((where, "radedit (commit)", commit, "MIT"))
            for name, version in versions.items():
                writer.writerow((where, name, version, ""))
    for package in installed:
        writer.writerow(("installed", *package))
    return buffer.getvalue()
