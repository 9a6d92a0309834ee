"""A blinded reader study in a file: `python -m radedit.reader_study +scenario=manifestation`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.app.command import entry_point, typed_command
from radedit.app.configuration import arguments_as

FORM, KEY, TABLE = "form.html", "key.json", "table.md"


@entry_point("reader_study", needs="scenario", one_job=True)
def run(config: DictConfig) -> None:
    """Export a study, or read its forms back."""
    if config.answers or config.key:
        _read_back(config)
    else:
        _export(config)


def _export(config: DictConfig) -> None:
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by
    from radedit.harness.reader_study.study import credits_of, draw_study, image_files, write_key
    from radedit.harness.single.outputs import prepare_folder
    from radedit.report.reader_study.form import ReaderForm, blind, render_form

    stress_set = _stress_set(config)
    images: Any = OmegaConf.to_container(config.study.images, resolve=True)
    study = draw_study(
        stress_set, instantiate(config.scenario, _convert_="all"), images,
        n=config.study.n, repeats=config.study.repeats, seed=config.study.seed,
    )  # fmt: skip
    page = render_form(
        ReaderForm(study.hash, study.finding, blind(image_files(study, stress_set)), credits_of(study, stress_set))
    )
    folder = Path(config.out) / "readers" / f"{study.scenario}-{study.hash[:12]}"
    prepare_folder(folder)
    about = made_by() | {"command": typed_command("reader_study"), "folder": str(stress_set.resolve())}
    write_atomically(folder / KEY, write_key(study, about))
    write_atomically(folder / FORM, page.encode())
    for caution in study.cautions:
        print(f"Caution: {caution}")
    print(
        f"{len(study.items)} images of {config.study.n} patients, some {len(study.items) / 6:.0f} min a reader\n"
        f"for readers: {(folder / FORM).resolve()}\n"
        f"for you only: {(folder / KEY).resolve()}\n"
        f"then: python -m radedit.reader_study answers=[a.json,b.json] key={folder / KEY}"
    )


def _stress_set(config: DictConfig) -> Path:
    from radedit.app.stress_sets import requested, require
    from radedit.data.stress_set import require_whole_set

    if config.stress_set is None:
        return require(requested(config), None, f"+scenario={config.scenario.name}").folder
    folder = Path(str(config.stress_set)).expanduser()
    if not (folder / "manifest.csv").is_file():
        raise ValueError(f"stress_set: {folder} is no finished stress set: it has no manifest.csv.")
    require_whole_set(folder)
    return folder


def _read_back(config: DictConfig) -> None:
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by
    from radedit.harness.reader_study.forms import read_forms
    from radedit.harness.reader_study.results import reader_results
    from radedit.harness.reader_study.study import read_key
    from radedit.report.reader_study.page import write_reader_page
    from radedit.report.reader_study.table import FILE, reader_table, write_reader_results
    from radedit.report.sweep.page import write_report

    if not config.key:
        raise ValueError("key was not given. Say key=…/key.json, which was written beside the page.")
    key = Path(str(config.key)).expanduser()
    study = read_key(key)
    forms = read_forms([Path(str(file)).expanduser() for file in config.answers], study)
    results = reader_results(study, forms)
    folder = key.parent
    about = made_by() | {"command": typed_command("reader_study")}
    write_reader_results(results, about, folder / FILE)
    text = reader_table(results)
    write_atomically(folder / TABLE, text.encode())
    page = write_reader_page(results, about, folder)
    print(f"{text}\n{page.resolve()}")
    for run_folder in _runs(Path(config.out) / "stress", study.stress_set):
        write_reader_results(results, about, run_folder / FILE)
        print(f"report: {write_report(run_folder).resolve()}")


def _runs(folder: Path, stress_set: str) -> list[Path]:
    """Finished runs on a stress set."""
    from radedit.harness.evidence.results import FILE as RESULTS
    from radedit.harness.evidence.results import load

    found = sorted(path.parent for path in folder.glob(f"*/{RESULTS}"))
    return [run for run in found if load(run).hashes.stress_set == stress_set]


def main() -> None:
    """Forms need no scenario, as their key says which."""
    arguments = sys.argv[1:]
    reads = any(argument.startswith(("answers=", "key=")) for argument in arguments)
    if reads and not any(argument.startswith("+scenario=") for argument in arguments):
        arguments = [*arguments, "+scenario=manifestation"]  # only completes the configuration
    with arguments_as(arguments):
        run()


if __name__ == "__main__":
    main()
