"""What is measured where no mask is: on a stress set whose pixels are known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from radedit.data.stress_set import StressSetWriter, image_path
from radedit.harness.evidence.anatomy import anatomy, heart_width

SIDE = 16


class Dark:
    """Takes the image's dark left half for both lungs, and its bright pixels for the heart."""

    masks = ("heart", "left_lung", "right_lung")

    def predict(self, images: Tensor) -> SimpleNamespace:
        dark = (images < 0.3).float()
        return SimpleNamespace(masks=torch.cat([(images > 0.7).float(), dark, dark], 1))


@pytest.fixture
def stress_set(tmp_path: Path) -> Path:
    before = torch.full((1, SIDE, SIDE), 0.5)
    before[:, :4, :8], before[:, 8:10, 4:8] = 0.0, 1.0  # a lung of 32 px, a heart 4 px wide
    after = before.clone()
    after[:, 8:10, 8] = 1.0  # the heart is 5 px wide, by two pixels outside the masks
    after[:, 12, 12] = 0.0  # inside m_edit: a lung of 33 px
    m_edit = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    m_edit[:, 12, 12] = True
    m_keep = torch.zeros_like(m_edit)
    m_keep[:, 0] = True
    counterfactual = before.clone()
    counterfactual[:, 12, 12] = 0.25
    radiographs = {"source": before, "vae": before, "edit": after, "counterfactual": counterfactual}
    with StressSetWriter(tmp_path / "set", {"painted": True}) as writer:
        rows, images = [], {}
        for kind, image in radiographs.items():
            path = image_path(kind, "p0")
            images[path] = image
            rows.append({"id": f"p0/{kind}", "patient_id": "p0", "image": path, "attr_kind": kind, "attr_record": "p0"})
        for name, mask in {"m_edit": m_edit, "m_keep": m_keep}.items():
            images[image_path(name, "p0")] = mask
            rows[0][f"mask_{name}"] = image_path(name, "p0")
        writer.claim(0)
        writer.write_block(0, rows, images, [])
        writer.finish()
    return tmp_path / "set"


def test_pixels_outside_both_masks_are_counted(stress_set: Path) -> None:
    found = anatomy(stress_set, None)
    assert set(found) == {"change_inside", "true_change_inside", "changed_outside"}
    assert found["changed_outside"].value == pytest.approx(100 * 2 / (SIDE**2 - SIDE - 1))


def test_change_inside_is_told_beside_the_true_one(stress_set: Path) -> None:
    found = anatomy(stress_set, None)
    assert found["change_inside"].value == pytest.approx(-0.5 * 255, abs=1)  # images are kept in 8 bits
    assert found["true_change_inside"].value == pytest.approx(-0.25 * 255, abs=1)


def test_heart_and_lungs_are_measured_before_and_after(stress_set: Path) -> None:
    found = {name: estimate.value for name, estimate in anatomy(stress_set, Dark()).items()}
    assert found["heart_width_before"] == pytest.approx(100 * 4 / SIDE)
    assert found["heart_width_after"] == pytest.approx(100 * 5 / SIDE)
    assert found["lung_area_before"] == pytest.approx(100 * 32 / SIDE**2)
    assert found["lung_area_after"] == pytest.approx(100 * 33 / SIDE**2)


def test_width_of_no_heart_is_nothing() -> None:
    masks = torch.zeros(2, 4, 6, dtype=torch.bool)
    masks[1, 2, 1:4] = True
    assert heart_width(masks).tolist() == [0, 3]
