"""A stress set as Parquet: loaded by `datasets`, described by a card and Croissant, the same images to the byte."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from radedit.data.export.parquet_set import FILE, write_parquet_set
from radedit.data.stress_set import StressSetWriter, image_path

TITLE = "Does the model see the pneumothorax, or the drain?"


@pytest.fixture
def stress_set(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    rng = torch.Generator().manual_seed(0)
    rows: list[dict[str, Any]] = []
    images = {}
    for record in ("p1", "p|2"):
        for kind in ("source", "edit"):
            row: dict[str, Any] = {"id": f"{record}/{kind}", "patient_id": record, "image": image_path(kind, record)}
            row |= {"report": "Ümlaut.", "label_drain": 1 if kind == "edit" else None}
            row |= {"attr_kind": kind, "attr_record": record, "attr_licence": "CC BY 4.0"}
            images[row["image"]] = torch.rand(1, 16, 16, generator=rng)
            if kind == "source":
                row["mask_m_keep"] = image_path("m_keep", record)
                images[row["mask_m_keep"]] = torch.rand(1, 16, 16, generator=rng) > 0.5
            rows.append(row)
    with StressSetWriter(folder, {"what": "test"}) as writer:
        writer.claim(0)
        writer.write_block(0, rows, images)
        writer.finish()
    return folder


def test_datasets_loads_the_folder_with_the_same_pictures(
    stress_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "export"
    file = write_parquet_set(stress_set, out, title=TITLE)
    for loaded in (
        datasets.load_dataset(str(out), split="test", cache_dir=str(tmp_path / "cache")),
        datasets.load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache2")),
    ):
        assert isinstance(loaded.features["image"], datasets.Image) and len(loaded) == 4
        for row in loaded:
            with Image.open(stress_set / image_path(row["attr_kind"], row["attr_record"])) as own:
                assert (np.asarray(row["image"]) == np.asarray(own)).all()
            assert (row["mask_m_keep"] is None) == (row["attr_kind"] == "edit")
            assert row["label_drain"] == (1 if row["attr_kind"] == "edit" else None) and row["report"] == "Ümlaut."


def test_card_has_a_header_that_the_hub_reads(stress_set: Path, tmp_path: Path) -> None:
    write_parquet_set(stress_set, tmp_path / "export", title=TITLE)
    text = (tmp_path / "export/README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "cc-by-4.0" and header["configs"][0]["data_files"][0]["path"] == FILE
    assert "not for clinical use" in text and "| `edit` | 2 |" in text


def test_croissant_names_every_column_and_the_file_by_its_checksum(stress_set: Path, tmp_path: Path) -> None:
    file = write_parquet_set(stress_set, tmp_path / "export", title=TITLE)
    found = json.loads((tmp_path / "export/croissant.json").read_text(encoding="utf-8"))
    required = {"@context", "@type", "name", "description", "license", "url", "creator", "conformsTo", "distribution"}
    assert required <= set(found) and found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    (object_,) = found["distribution"]
    assert object_["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest() and object_["contentUrl"] == FILE
    columns = [field["source"]["extract"]["column"] for field in found["recordSet"][0]["field"]]
    assert columns == ["id", "patient_id", "image", "report", "label_drain", "mask_m_keep", "attr_kind", "attr_licence",
                       "attr_record"]  # fmt: skip


def test_croissant_is_valid_and_gives_the_records(stress_set: Path, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    write_parquet_set(stress_set, tmp_path / "export", title=TITLE)
    found = mlcroissant.Dataset(jsonld=tmp_path / "export/croissant.json")
    assert not found.metadata.issues.errors
    records = list(found.records("images"))
    assert [record["images/id"] for record in records] == [b"p1/source", b"p1/edit", b"p|2/source", b"p|2/edit"]
    assert records[0]["images/image"].size == (16, 16)


def test_same_set_gives_the_same_bytes(stress_set: Path, tmp_path: Path) -> None:
    for name in "ab":
        write_parquet_set(stress_set, tmp_path / name, title=TITLE)
    write_parquet_set(stress_set, tmp_path / "a", title=TITLE)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 4 and all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )


def test_damaged_or_foreign_folders_are_refused(stress_set: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="holds thesis.tex"):
        write_parquet_set(stress_set, tmp_path / "other", title=TITLE)
    picture = next((stress_set / "images/edit").glob("*.png"))
    buffer = io.BytesIO()
    Image.new("L", (16, 16)).save(buffer, "PNG")
    picture.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="not as it was written"):
        write_parquet_set(stress_set, tmp_path / "export", title=TITLE)
    with pytest.raises(ValueError, match="no finished stress set"):
        write_parquet_set(tmp_path, tmp_path / "export", title=TITLE)
