"""Answers are taken as they are, or refused with one line; nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from torch import Tensor

from radedit.data.blinded.export import draw_key, write_images
from radedit.data.blinded.key import Key, key_text
from radedit.data.image.files import write_png
from radedit.data.image.transforms import stretch
from radedit.harness.predictors.answers import AnswersModel, read_answers
from radedit.types import Record, Sample
from tests.data.mask_formats.writers import write_seg

SIZE = 8


class Images:
    def __init__(self, images: list[Tensor]) -> None:
        self.images = images

    @property
    def records(self) -> list[Record]:
        return [Record(str(i), "p") for i in range(len(self.images))]

    def load(self, record: Record) -> Sample:
        return Sample(record, self.images[int(record.id)])


@pytest.fixture
def images() -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [stretch(torch.from_numpy(rng.random((1, SIZE, SIZE), dtype=np.float32))) for _ in range(3)]


@pytest.fixture
def key(images: list[Tensor]) -> Key:
    sets = {"edit": Images(images)}
    found = draw_key(sets, scenario="manifestation", stress_set="01", size=SIZE, seed=0, format="dicom")
    Path("box").mkdir()
    write_images(found, sets, Path("box/given"), format="dicom", view="PA")
    Path("box/key.json").write_bytes(key_text(found, {}))
    return found


def model(table: str, masks: tuple[str, ...] = (), threshold: float = 0.5) -> AnswersModel:
    Path("answers.csv").write_text(table)
    found = read_answers("answers.csv", "box/key.json")
    return AnswersModel(found, label=None if masks else "x", masks=masks, threshold=threshold)


def test_every_way_to_name_an_image_means_the_same(key: Key, images: list[Tensor]) -> None:
    p = {item.digest: 0.1 + 0.3 * i for i, item in enumerate(key.items)}
    ways = {
        "id": [item.id for item in key.items],
        "file": [Path(item.file).name for item in key.items],
        "sop_instance_uid": [item.uid for item in key.items],
        "study_instance_uid": [item.study_uid for item in key.items],
    }
    found = []
    for column, names in ways.items():
        rows = [f"{name},{p[item.digest]:.6f}" for name, item in zip(names, key.items, strict=True)]
        one = model("\n".join([f"{column},probability", *reversed(rows)]))
        found.append((one.hash, one.predict(torch.stack(images)).probability.tolist()))
    assert all(one == found[0] for one in found)
    by_record = {record: p[item.digest] for item in key.items for record in item.shows["edit"]}
    assert found[0][1] == pytest.approx([by_record[str(i)] for i in range(3)])


def test_ids_and_paths_of_a_product_do_no_harm_beside_a_uid_that_is_known(key: Key, images: list[Tensor]) -> None:
    head, rows = "id,file,sop_instance_uid,probability\n", [(item.uid, item.digest) for item in key.items]
    own = model(head + "".join(f"scan {i},C:/in/{i}.dcm,{uid},0.{i}\n" for i, (uid, _) in enumerate(rows)))
    plain = model("id,probability\n" + "".join(f"{item.id},0.{i}\n" for i, item in enumerate(key.items)))
    assert own.hash == plain.hash
    with pytest.raises(ValueError, match="line 2 answers for sop_instance_uid '1.2.3', which was not exported"):
        model(f"id,sop_instance_uid,probability\n{key.items[0].id},1.2.3,0\n")


def test_labels_are_probabilities_of_0_and_1_and_a_threshold_lies_at_one_half(key: Key, images: list[Tensor]) -> None:
    ids = [item.id for item in key.items]
    labels = model(f"id,label\n{ids[0]},1\n{ids[1]},0\n{ids[2]},0\n")
    assert sorted(labels.predict(torch.stack(images)).probability.tolist()) == [0, 0, 1]
    bent = model(f"id,probability\n{ids[0]},0.2\n{ids[1]},0.1\n{ids[2]},1\n", threshold=0.2)
    assert sorted(bent.predict(torch.stack(images)).probability.tolist()) == pytest.approx([0.25, 0.5, 1])


def test_labels_that_agree_with_the_threshold_change_nothing(key: Key) -> None:
    ids = [item.id for item in key.items]
    both = model(f"id,probability,label\n{ids[0]},0.3,1\n{ids[1]},0.1,0\n{ids[2]},0.9,\n", threshold=0.3)
    assert both.hash == model(f"id,probability\n{ids[0]},0.3\n{ids[1]},0.1\n{ids[2]},0.9\n", threshold=0.3).hash


def test_an_image_that_was_rounded_otherwise_is_still_known_and_another_is_not(key: Key, images: list[Tensor]) -> None:
    one = model("id,probability\n" + "".join(f"{item.id},0.{i + 1}\n" for i, item in enumerate(key.items)))
    wanted = one.predict(torch.stack(images)).probability
    off = 1e-5 * torch.from_numpy(np.random.default_rng(1).standard_normal((3, 1, SIZE, SIZE))).float()
    near = (torch.stack(images) + off).clamp(0, 1)
    assert (one.predict(near).probability == wanted).all()
    with pytest.raises(ValueError, match="none of the 3 that were exported. Say the same words"):
        one.predict(torch.stack(images).flip(-1))


def test_masks_are_what_the_files_show(key: Key, images: list[Tensor]) -> None:
    rng, rows = np.random.default_rng(2), []
    drawn: dict[str, Tensor] = {}
    for item in key.items:
        masks = torch.from_numpy(rng.random((2, SIZE, SIZE)) > 0.5)
        for name, mask in zip("ab", masks, strict=True):
            write_png(f"{item.id}-{name}.png", mask[None], text={})
        drawn |= {record: masks for record in item.shows["edit"]}
        rows.append(f"{item.id},{item.id}-a.png,{item.id}-b.png\n")
    found = model("id,mask_a,mask_b\n" + "".join(rows), masks=("b", "a")).predict(torch.stack(images)).masks
    assert found.shape == (3, 2, SIZE, SIZE)
    assert all((found[i] == drawn[str(i)].flip(0)).all() for i in range(3))


def test_segments_of_dicom_are_masks_and_those_of_another_image_are_refused(key: Key, images: list[Tensor]) -> None:
    rng, rows = np.random.default_rng(3), []
    drawn: dict[str, Any] = {}
    of: dict[str, str] = {}
    for item in key.items:
        masks = {name: rng.random((SIZE, SIZE)) > 0.5 for name in ("right lung", "left lung")}
        write_seg(Path(f"{item.id}-seg.dcm"), masks, pydicom.dcmread(f"box/given/{item.file}"))
        drawn |= {record: masks for record in item.shows["edit"]}
        of[item.id] = f"{item.id}-seg.dcm"
        rows.append(f"{item.id},{of[item.id]},{of[item.id]}\n")
    names = ("right_lung", "left_lung")
    head = "id,mask_right_lung,mask_left_lung\n"
    found = model(head + "".join(rows), masks=names).predict(torch.stack(images)).masks
    for i in range(3):
        assert (found[i].numpy() == np.stack([drawn[str(i)][name.replace("_", " ")] for name in names])).all()
    first, second, third = key.items
    swapped = [
        f"{one.id},{of[two.id]},{of[two.id]}\n" for one, two in ((first, second), (second, first), (third, third))
    ]
    with pytest.raises(ValueError, match="drawn on other images"):
        model(head + "".join(swapped), masks=names)


BAD = {
    "missing": ("id,probability\n{0},0.1\n{1},0.1\n", "1 of 3 images have no answer, e.g. {2}"),
    "doubled": ("id,probability\n{0},0\n{1},0\n{0},0\n{2},0\n", "{0} is answered twice, in lines 2 and 4"),
    "unknown": ("id,probability\n{0},0\n{1},0\nR9999,0\n", "line 4 answers for id 'R9999', which was not exported"),
    "too large": (
        "id,probability\n{0},0\n{1},1.2\n{2},0\n",
        "the probability of {1} is '1.2'; expected a number",
    ),
    "not a number": ("id,probability\n{0},nan\n{1},0\n{2},0\n", "the probability of {0} is 'nan'"),
    "an underscore": ("id,probability\n{0},0_1\n{1},0\n{2},0\n", "the probability of {0} is '0_1'"),
    "in words": ("id,probability\n{0},low\n{1},0\n{2},0\n", "the probability of {0} is 'low'"),
    "empty": ("id,probability\n{0},\n{1},0\n{2},0\n", "{0} has no probability; expected a number"),
    "label": ("id,label\n{0},0.3\n{1},0\n{2},0\n", "the label of {0} is '0.3'; expected 0 or 1"),
    "two images": ("id,file,probability\n{0},{1}.dcm,0\n{1},{1}.dcm,0\n{2},{2}.dcm,0\n", "names id {0}, file {1}.dcm"),
    "no image": ("id,file,probability\n,,0\n{1},,0\n{2},,0\n", "line 2 must name one image, but names no image"),
    "another export": (
        "id,export,probability\n{0},0123456789ab,0\n",
        "line 2 is of export 0123456789ab, but the key of",
    ),
    "no ids": ("name,probability\n{0},0\n{1},0\n{2},0\n", "no column names the images"),
    "a label that contradicts": (
        "id,probability,label\n{0},0.3,1\n{1},0.1,0\n{2},0.9,1\n",
        "1 of 3 labels contradict their probabilities at predictor.threshold=0.5, e.g. {0} with probability 0.3 and "
        "label 1. The labels are those of a threshold above 0.1 and up to 0.3: say it, such as "
        "predictor.threshold=0.3.",
    ),
    "labels the other way round": (
        "id,probability,label\n{0},0.3,1\n{1},0.7,0\n{2},,1\n",
        "2 of 2 labels contradict their probabilities at predictor.threshold=0.5, e.g. {0} with probability 0.3 and "
        "label 1. No threshold gives these labels: leave one of the two columns out.",
    ),
    "no answers": ("id,score\n{0},0\n{1},0\n{2},0\n", "no column probability or label; it has id, score"),
}


@pytest.mark.parametrize("case", BAD)
def test_answers_that_do_not_fit_are_refused_with_one_line(case: str, key: Key) -> None:
    ids = [item.id for item in key.items]
    table, message = BAD[case]
    with pytest.raises(ValueError) as caught:
        model(table.format(*ids))
    assert message.format(*ids) in str(caught.value) and "answers.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_masks_that_do_not_fit_are_refused(key: Key) -> None:
    ids = [item.id for item in key.items]
    write_png("small.png", torch.zeros(1, 4, 4, dtype=torch.bool), text={})
    for cell, message in (("", "has no mask_a; expected a file"), ("gone.png", "no mask gone"), ("small.png", "4×4")):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            model("id,mask_a\n" + "".join(f"{id_},{cell}\n" for id_ in ids), masks=("a",))
    with pytest.raises(ValueError, match="has no column 'mask_a', named by predictor.masks"):
        model("id,mask_b\n" + "".join(f"{id_},x.png\n" for id_ in ids), masks=("a",))
