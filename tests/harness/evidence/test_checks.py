"""Did the edit happen? Sets are painted so that the prediction is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.data.stress_set import StressSetWriter, image_path, read_rows
from radedit.harness.evidence.checks import Check, CheckLimits, check_edits, failed_edits, keeps_shortcut, reasons

N, SIZE = 40, 32
FINDING, SHORTCUT = (slice(4, 12), slice(4, 12)), (slice(20, 28), slice(20, 28))


def painted(*, finding: bool, shortcut: bool) -> Tensor:
    """A dark image with a bright square for each of the two."""
    image = torch.full((1, SIZE, SIZE), 0.3)
    image[:, -2:, :2] = 1.0  # an image of one grey level is refused
    for there, (rows, columns) in ((finding, FINDING), (shortcut, SHORTCUT)):
        if there:
            image[:, rows, columns] = 0.7
    return image


def write_set(
    folder: Path, edit: Tensor, *, kept: bool = True, untouched: float | None = -0.1, keep_change: float = 0.0,
    vae_noise: float = 0.0, counterfactual: bool = True, n: int = N,
) -> Path:  # fmt: skip
    """A stress set in which every edit is the same image; `untouched` is the score of replay and keep-sham."""
    source = painted(finding=True, shortcut=True)
    noise = vae_noise * torch.randn(1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    kinds = {
        "source": source,
        "vae": (source + noise).clamp(0, 1),
        "edit": edit,
        "sham": painted(finding=False, shortcut=False),
        "replay": source,
        "keep_sham": source,
        "reference": painted(finding=False, shortcut=False),
        **({"counterfactual": painted(finding=False, shortcut=True)} if counterfactual else {}),
    }
    m_edit, m_keep = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    m_edit[:, *FINDING], m_keep[:, *SHORTCUT] = True, True
    rows: list[dict[str, Any]] = []
    images: dict[str, Tensor] = {}
    for number in range(n):
        record = f"p{number}"
        for kind, image in kinds.items():
            path = image_path(kind, record)
            images[path] = image
            facts = {"cosine": 0.5 if kept else 0.0, "kept": kept, "keep_change_mean": keep_change}
            own = {"own_cosine": untouched} if kind in ("replay", "keep_sham") else {}
            row = {
                "id": f"{record}/{kind}", "patient_id": record, "image": path, "attr_kind": kind,
                "attr_record": record, **facts, **own,
            }  # fmt: skip
            if kind == "source":
                for name, mask in {"m_edit": m_edit, "m_keep": m_keep}.items():
                    row[f"mask_{name}"] = image_path(name, record)
                    images[image_path(name, record)] = mask
            rows.append(row)
    with StressSetWriter(folder, {"painted": str(folder)}) as writer:
        writer.claim(0)
        writer.write_block(0, rows, images)
        writer.finish()
    return folder


def checked(folder: Path, *, psnr: float | None = None, addition: bool = False) -> dict[str, Check]:
    checks = check_edits(folder, 0.2, CheckLimits(), addition=addition, psnr=psnr)
    return {check.name: check for check in checks}


def test_a_good_edit_holds_in_every_check(tmp_path: Path) -> None:
    checks = checked(write_set(tmp_path / "set", painted(finding=False, shortcut=True)), psnr=40.0)
    assert {name for name, check in checks.items() if check.holds} == set(checks)
    assert reasons(list(checks.values())) == []


def test_an_edit_that_does_nothing_is_seen(tmp_path: Path) -> None:
    checks = checked(write_set(tmp_path / "set", painted(finding=True, shortcut=True), kept=True, untouched=0.5))
    assert checks["residual"].holds is False
    assert set((failed_edits(tmp_path / "set") or {}).values()) == {True}
    assert checks["kept"].holds is False
    assert checks["kept"].beside is not None and checks["kept"].beside.value == 1.0


@pytest.mark.parametrize(("left", "gone"), [(0.15, True), (0.35, False), (1.0, False)])
def test_a_finding_of_which_more_than_a_quarter_is_left_is_not_gone(tmp_path: Path, left: float, gone: bool) -> None:
    with_it, without = painted(finding=True, shortcut=True), painted(finding=False, shortcut=True)
    folder = write_set(tmp_path / "set", torch.lerp(without, with_it, left))
    assert set((failed_edits(folder) or {}).values()) == {not gone}


def test_an_edit_that_erases_the_shortcut_is_seen(tmp_path: Path) -> None:
    checks = checked(write_set(tmp_path / "set", painted(finding=False, shortcut=False), keep_change=50.0))
    assert checks["residual"].holds is True
    assert checks["shortcut"].holds is False
    assert checks["keep"].holds is False


@pytest.mark.parametrize("finding", [True, False], ids=["undone", "done"])
@pytest.mark.parametrize("shortcut", [True, False], ids=["kept", "lost"])
def test_each_edit_says_whether_it_keeps_the_shortcut(tmp_path: Path, shortcut: bool, finding: bool) -> None:
    folder = write_set(tmp_path / "set", painted(finding=finding, shortcut=shortcut))
    rows = {row["attr_kind"]: row for row in read_rows(folder) if row["attr_record"] == "p0"}
    assert keeps_shortcut(folder, rows, ["edit", "lance"]) == {"edit": shortcut}
    assert keeps_shortcut(folder, rows, ["source", "sham"]) == {"source": True, "sham": False}
    del rows["counterfactual"]
    assert keeps_shortcut(folder, rows, ["edit"]) == {}


def test_an_edit_that_changes_the_rest_of_the_image_is_seen(tmp_path: Path) -> None:
    edit = painted(finding=False, shortcut=True)
    edit[:, 14:18] = 1.0
    assert checked(write_set(tmp_path / "set", edit))["outside"].holds is False


def test_a_generator_that_does_not_fit_the_images_is_seen(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", painted(finding=False, shortcut=True), vae_noise=0.1)
    assert checked(folder, psnr=40.0)["round_trip"].holds is False
    assert checked(folder, psnr=20.0)["round_trip"].holds is True
    assert checked(folder)["round_trip"].holds is None


def test_edits_that_the_score_rejects_are_too_few(tmp_path: Path) -> None:
    checks = checked(write_set(tmp_path / "set", painted(finding=False, shortcut=True), kept=False))
    assert checks["kept"].holds is False
    assert checks["residual"].holds is None  # of no kept edit nothing is known


def test_without_counterfactuals_no_oracle_judges_whether_the_finding_is_gone(tmp_path: Path) -> None:
    checks = checked(write_set(tmp_path / "set", painted(finding=False, shortcut=True), counterfactual=False))
    assert checks["residual"].holds is None and checks["shortcut"].holds is None
    assert "radedit.reader_study can" in checks["residual"].remedy


@pytest.mark.parametrize(("grey", "holds"), [(0.32, False), (0.7, True), (1.0, True)])
def test_an_addition_is_about_as_dense_as_the_true_abnormality(tmp_path: Path, grey: float, holds: bool) -> None:
    edit = painted(finding=False, shortcut=False)
    edit[:, *FINDING] = grey
    source = painted(finding=True, shortcut=True)
    truth = source.clone()
    truth[:, *FINDING] = 1.0  # 0.3 brighter than the source
    folder = write_set(tmp_path / "set", edit)
    checks = checked(folder, addition=True)
    assert checks["strength"].beside is not None and checks["strength"].value is not None
    if grey == 0.32:  # against a truth that darkens by 0.4 the sign is wrong, too
        assert checks["strength"].holds is holds


def test_a_failed_check_says_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    (sentence,) = (
        text
        for text in reasons(list(checked(write_set(tmp_path / "set", painted(finding=True, shortcut=True))).values()))
        if "finding" in text
    )
    assert sentence.startswith("Is the finding left in few of the kept edits? No: found 100 % (")
    assert "larger weight" in sentence


def test_a_check_that_only_lacks_images_asks_for_more_of_them(tmp_path: Path) -> None:
    good = painted(finding=False, shortcut=True)
    few = checked(write_set(tmp_path / "set", good, n=4))
    assert {name for name, check in few.items() if check.holds is False} == {"residual", "shortcut"}
    assert all(few[name].remedy.startswith("Edit more images") for name in ("residual", "shortcut"))


@pytest.mark.parametrize("limits", [{"kept": 50.0}, {"residual": -0.1}, {"outside": 8.0}])
def test_limits_are_shares(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a share, 0…1"):
        CheckLimits(**limits)  # type: ignore[arg-type]
