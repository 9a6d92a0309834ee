"""The fourth journey: a product behind DICOM, known by its answers, gets the verdict that its model gets."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from pyarrow import parquet
from torch import Tensor, nn

from radedit import export, stress
from radedit.data.blinded.key import Key, read_key
from radedit.data.image.files import read_image, write_png
from radedit.data.io.table import read_table
from radedit.harness.evidence.results import Results, load
from tests.commands import run
from tests.own_images import write_own_images
from tests.tiny_bundle import SIZE

WORDS = ["setting=manifest", "preset=smoke", "generator=phantom", "logger=csv", f"size={SIZE}", "edit.steps=2",
         "edit.max_lost=1", "edit.threshold=-1", "n_gallery=1", "out=out", "rules.min_n=2", "rules.sensitivity=0",
         "rules.specificity=0", "rules.dice=0"]  # fmt: skip


class Detector(nn.Module):
    """A logit that follows the texture of an image."""

    def forward(self, images: Tensor) -> Tensor:
        return 40 * (images.diff(dim=-1).abs().mean((1, 2, 3)) - 0.0765)


class Drawer(nn.Module):
    """Logits of two masks: the dark pixels of either half."""

    def forward(self, images: Tensor) -> Tensor:
        side = torch.linspace(-1, 1, images.shape[-1]).expand_as(images)
        return torch.cat([(0.4 - images) * (1 - side), (0.4 - images) * (1 + side)], dim=1)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_images(tmp_path_factory.mktemp("own"), n=3)


@pytest.fixture
def words(manifest: Path, tiny_bundle: Path) -> list[str]:
    return [*WORDS, f"manifest={manifest}", f"generator.folder={tiny_bundle}"]


def results_of(*arguments: str) -> Results:
    """Results of a stress test, which is the newest one."""
    assert run(stress.main, arguments) == 0
    return load(max(Path("out/stress").glob("*-*"), key=lambda folder: (folder / "results.json").stat().st_mtime_ns))


def answers(key: Key, columns: list[str], answer: Callable[[str], list[Any]], file: str = "answers.csv") -> Path:
    """A filled table: what `answer` says of each exported file."""
    with Path(file).open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["id", *columns])
        writer.writerows([item.id, *answer(item.file)] for item in key.items)
    return Path(file)


def same(direct: Results, answered: Results) -> None:
    """The same verdict for the same reasons, and no number that is off by 1e-3."""
    for one, other in zip(direct.verdicts, answered.verdicts, strict=True):
        assert (one.outcome, one.reasons, one.n) == (other.outcome, other.reasons, other.n)
    numbers, others = (np.array(list(numbers_in(r.model_dump(mode="json")))) for r in (direct, answered))
    assert numbers.shape == others.shape and len(numbers) > 20
    assert np.abs(numbers - others).max() <= 1e-3
    assert [check.name for check in direct.checks] == [check.name for check in answered.checks]


def folder_of(results: Results) -> Path:
    (run_hash,) = results.hashes.runs.values()
    return Path("out/stress") / f"{results.name}-{run_hash[:12]}"


def probabilities(results: Results) -> dict[tuple[str, str], float]:
    """Set and record of an image → what the model said of it."""
    rows = read_table(folder_of(results) / "predictions.csv").rows
    return {(row.cells["data"], row.cells["record"]): float(row.cells["probability"]) for row in rows}


def numbers_in(found: dict[str, Any]) -> Iterator[float]:
    """Every number of what follows from predictions."""
    rest = [found[part] for part in ("table", "attribution", "verdicts", "ranking", "changes", "kept_curve", "score")]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, int | float):
            yield float(value)


@pytest.mark.slow
def test_verdict_through_a_dicom_server_is_that_of_the_model_called_directly(words: list[str]) -> None:
    pynetdicom = pytest.importorskip("pynetdicom", reason="needs pynetdicom, of the extra [dicom]")
    direct = results_of("+scenario=manifestation", *words, "predictor=built",
                    f"predictor.build._target_={__name__}.Detector")  # fmt: skip
    assert run(export.main, ["+scenario=manifestation", *words, "to=box"]) == 0
    given, key = Path("box/for-the-product"), read_key(Path("box/key.json"))
    assert {"edit", "sham", "reference", "source", "in_distribution"} <= {s for item in key.items for s in item.shows}

    received = sent(pynetdicom, [given / item.file for item in key.items])
    assert sorted(received) == sorted(item.uid for item in key.items)
    with Path("answers.csv").open("w", newline="") as file:  # a product that knows nothing but what it received
        writer = csv.writer(file)
        writer.writerow(["study_instance_uid", "sop_instance_uid", "probability"])
        for dataset in received.values():
            levels = torch.from_numpy(dataset.pixel_array.astype(np.float32)) / (2**dataset.BitsStored - 1)
            p = Detector()(levels[None, None]).sigmoid()
            writer.writerow([dataset.StudyInstanceUID, dataset.SOPInstanceUID, f"{float(p):.6f}"])
    for item in key.items:  # what a viewer shows
        seen = read_image(given / item.file).pixels
        stored = torch.from_numpy(received[item.uid].pixel_array.astype(np.float32)) / 65535
        assert 255 * (seen - stored).abs().max() <= 1

    told = ["predictor=answers", "predictor.path=answers.csv", "key=box/key.json"]
    answered = results_of("+scenario=manifestation", *words, *told, "predictor.name=Own model")
    assert answered.predictors[0].kind == "classifier" and answered.predictor_seed is None
    same(direct, answered)
    one, other = (probabilities(results) for results in (direct, answered))
    assert one.keys() == other.keys() and len(one) == sum(len(s) for item in key.items for s in item.shows.values())
    assert max(abs(one[image] - other[image]) for image in one) <= 1e-3
    assert (folder_of(answered) / "report.html").is_file()


def sent(pynetdicom: Any, files: list[Path]) -> dict[str, pydicom.Dataset]:
    """Files stored on a DICOM server of this machine, and forwarded by it to a product, as a hospital does."""
    from pynetdicom.sop_class import DigitalXRayImageStorageForPresentation

    def entity(title: str) -> Any:
        made = pynetdicom.AE(ae_title=title)
        made.acse_timeout = made.dimse_timeout = made.network_timeout = None  # a busy machine may take its time
        return made

    def received(datasets: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
        """What a server has of datasets that are sent to it."""
        kept: list[pydicom.Dataset] = []

        def keep(event: Any) -> int:
            kept.append(event.dataset)
            kept[-1].file_meta = event.file_meta
            return 0x0000

        server, user = entity("SERVER"), entity("RADEDIT")
        server.add_supported_context(DigitalXRayImageStorageForPresentation)
        user.add_requested_context(DigitalXRayImageStorageForPresentation)
        running = server.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, keep)])
        try:
            association = user.associate("127.0.0.1", running.server_address[1])
            assert association.is_established
            assert {association.send_c_store(dataset).Status for dataset in datasets} == {0x0000}
            association.release()
        finally:
            running.shutdown()
        return kept

    archived = received([pydicom.dcmread(file) for file in files])
    return {str(dataset.SOPInstanceUID): dataset for dataset in received(archived)}


@pytest.mark.slow
def test_verdict_from_masks_is_that_of_the_segmenter_called_directly(words: list[str]) -> None:
    scenario = ["+scenario=population", *words, "additions=oedema"]
    direct = results_of(*scenario, "predictor=built", f"predictor.build._target_={__name__}.Drawer")
    assert run(export.main, [*scenario, "format=png", "to=box"]) == 0
    key, given = read_key(Path("box/key.json")), Path("box/for-the-product")
    assert read_table(given / "answers.csv").columns[4:] == ("mask_right_lung", "mask_left_lung")

    def draw(file: str) -> list[str]:
        masks = Drawer()(read_image(given / file).pixels[None])[0] >= 0
        names = [f"{Path(file).stem}-{side}.png" for side in ("right", "left")]
        for name, mask in zip(names, masks, strict=True):
            write_png(name, mask[None], text={})
        return names

    table = answers(key, ["mask_right_lung", "mask_left_lung"], draw)
    told = ["predictor=answers", f"predictor.path={table}", "key=box/key.json", "predictor.name=Own model"]
    same(direct, results_of(*scenario, *told))


@pytest.mark.slow
def test_answers_to_another_stress_set_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    scenario = ["+scenario=manifestation", *words]
    assert run(export.main, [*scenario, "to=box"]) == 2
    assert "is not there. Make it with: python -m radedit.stress" in capsys.readouterr().err
    assert run(stress.main, [*scenario, "run=[generate]"]) == 0
    assert run(export.main, [*scenario, "format=parquet", "to=set"]) == 2  # the images are somebody's
    assert "Say of_patients=true if they may leave" in capsys.readouterr().err and not Path("set").exists()
    assert run(export.main, [*scenario, "format=parquet", "of_patients=true", "to=set"]) == 0
    (made,) = Path("out/stress_sets").iterdir()
    assert parquet.read_table("set/data/test.parquet").num_rows == len(read_table(made / "manifest.csv").rows)
    assert "load_dataset(" in capsys.readouterr().out
    assert run(export.main, [*scenario, "format=png", "to=box", "blinding=3"]) == 0
    said = capsys.readouterr().out
    assert "for you only:" in said and "blinding" not in said.partition("then: ")[2] and "to=box" not in said
    key = read_key(Path("box/key.json"))
    assert json.loads(Path("box/key.json").read_text())["about"]["command"].endswith("to=box blinding=3")
    template = Path("box/for-the-product/answers.csv")
    assert f",{key.hash[:12]}," in template.read_text()
    template.write_text("filled")
    assert run(export.main, [*scenario, "format=png", "to=box", "blinding=3"]) == 0
    assert template.read_text() == "filled"
    assert run(export.main, [*scenario, "format=png", "to=box", "blinding=7"]) == 2
    assert "can't be read with the key of this one" in capsys.readouterr().err
    assert template.read_text() == "filled" and read_key(Path("box/key.json")) == key
    assert run(export.main, [*scenario, "format=png", "to=other", "blinding=1.5"]) == 2
    assert "blinding is 1.5; expected a whole number, 0 or more" in capsys.readouterr().err
    table = answers(key, ["probability"], lambda _: [0.5])
    told = ["predictor=answers", f"predictor.path={table}", "key=box/key.json"]
    assert run(stress.main, [*scenario, *told, "edit.seed=1"]) == 2
    error = capsys.readouterr().err
    assert "Say the same words as for radedit export" in error and error.count("\n") == 1
