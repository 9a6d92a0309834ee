"""Stress sets: every kind of image, made once, the same however the run went."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import StressSetWriter, image_path, read_rows, read_skipped
from radedit.editing import diffedit, lance, radedit, released_compat, sdedit
from radedit.editing.editor import Editor
from radedit.editing.inversion import Trajectory
from radedit.harness.predictors.classify import kind_dataset, kinds
from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.cost import expected_cost
from radedit.harness.stress.generate import generate
from radedit.harness.stress.scenario import Removal, StressData, addition_images
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.types import Dataset, Record, Sample
from tests.harness.conftest import BLOCK, SIZE, N, halves

MakePlan = Callable[..., EditPlan]
Make = Callable[..., Path]

OWN = {"source", "vae", "replay", "edit", "keep_sham"}
OTHERS = {"diffedit": diffedit, "lance": lance, "sdedit": sdedit, "released_compat": released_compat}
REFERENCE = {"reference", "reference_vae", "reference_replay", "sham"}


class Killed(BaseException):
    """What no code catches, as if the process were gone."""


class Failing:
    """A dataset that raises for one record."""

    def __init__(self, dataset: Dataset, record: str, error: BaseException) -> None:
        self.dataset, self.record, self.error = dataset, record, error

    @property
    def records(self) -> Sequence[Record]:
        return self.dataset.records

    def load(self, record: Record) -> Sample:
        if record.id == self.record:
            raise self.error
        return self.dataset.load(record)


@pytest.fixture
def make(scenario: Removal, data: StressData, bundle: Bundle, make_plan: MakePlan) -> Make:
    """Generates a set into a folder; anything of it may be another."""

    def run(folder: str | Path, data: StressData = data, **given: Any) -> Path:
        return generate(scenario, data, bundle, make_plan(**given), Path(folder), {"toy": 1})

    return run


@pytest.fixture(scope="module")
def whole(
    scenario: Removal, data: StressData, bundle: Bundle, make_plan: MakePlan, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished set, made without interruption. Not to be written to."""
    return generate(scenario, data, bundle, make_plan(), tmp_path_factory.mktemp("set") / "whole", {"toy": 1})


@pytest.fixture
def decoded(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled with the number of images of every batch that is decoded."""
    sizes: list[int] = []
    decode = type(bundle).decode

    def noting(self: Bundle, latents: Tensor) -> Tensor:
        sizes.append(len(latents))
        return decode(self, latents)

    monkeypatch.setattr(type(bundle), "decode", noting)
    return sizes


def files(folder: Path) -> dict[str, bytes]:
    """All of a set but its lock."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def image(folder: Path, kind: str, record: str) -> Tensor:
    dataset = kind_dataset(folder, kind)
    return dataset.load(next(r for r in dataset.records if r.id == f"{record}/{kind}")).image


def ids(data: StressData) -> list[str]:
    return [record.id for record in data.source.records]


def test_every_record_has_every_kind_and_the_first_ones_other_editors_too(make: Make, data: StressData) -> None:
    also = {"diffedit": Editor.of(partial(diffedit.edit, w=2.0)), "lance": Editor.of(partial(lance.edit, w=2.0))}
    folder = make("set", also=also, n_also=1)
    found: dict[str, list[str]] = {}
    for row in read_rows(folder):
        found.setdefault(row["attr_kind"], []).append(row["attr_record"])
        assert (folder / row["image"]).is_file()
    assert set(found) == OWN | REFERENCE | {"counterfactual", "diffedit", "lance"} == set(kinds(folder))
    assert all(found[kind] == ids(data) for kind in OWN | REFERENCE | {"counterfactual"})
    assert found["diffedit"] == found["lance"] == ids(data)[:1]


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_editors_edits_are_those_of_a_set_of_their_own(name: str, make: Make, data: StressData) -> None:
    """Whether they share the inversion of the set's editor (DiffEdit), of each other, or make their own."""
    others = {name: Editor.of(partial(module.edit, w=2.0)) for name, module in OTHERS.items()}
    beside = make("beside", also=others, n_also=3)
    alone = make("alone", replace(data, reference=None, counterfactual=None), editor=others[name])
    for record in ids(data):
        torch.testing.assert_close(image(beside, name, record), image(alone, "edit", record), rtol=0, atol=1.01 / 255)


def test_no_image_is_decoded_that_the_set_does_not_have(make: Make, decoded: list[int]) -> None:
    make("set", also={"lance": Editor.of(partial(lance.edit, w=2.0))}, n_also=1)
    n_blocks = -(-N // BLOCK)
    made = (OWN | REFERENCE) - {"source", "reference"}
    assert sum(decoded) == n_blocks * BLOCK * len(made) + 1


def test_only_what_shows_the_finding_is_labelled_with_it(whole: Path) -> None:
    labels: dict[str, set[int]] = {}
    for row in read_rows(whole):
        labels.setdefault(row["attr_kind"], set()).add(row["label_pneumothorax"])
    positive = {"source", "vae", "replay", "keep_sham"}
    assert labels == {kind: {int(kind in positive)} for kind in OWN | REFERENCE | {"counterfactual"}}


def test_set_without_reference_and_counterfactual_has_neither(make: Make, data: StressData) -> None:
    folder = make("set", replace(data, reference=None, counterfactual=None))
    assert set(kinds(folder)) == OWN


class Lent:
    """One patient's image as the reference of every record."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.records = dataset, dataset.records

    def load(self, record: Record) -> Sample:
        sample = self.dataset.load(self.records[0])
        return replace(sample, record=replace(sample.record, id="lent", patient_id="lender", attributes=THEIRS))


THEIRS = {"licence": "CC0"}


def test_row_of_a_reference_names_whose_image_it_is(make: Make, data: StressData) -> None:
    assert data.reference is not None
    rows = read_rows(make("lent", replace(data, reference=Lent(data.reference))))
    for row in rows:
        assert (row["patient_id"] == "lender") is (row["attr_kind"] in REFERENCE)
        assert row.get("attr_reference") == ("lent" if row["attr_kind"] in REFERENCE else None)
        assert row.get("attr_licence") == ("CC0" if row["attr_kind"] in REFERENCE else None)
    own = [row for row in read_rows(make("own")) if row["attr_kind"] in REFERENCE]
    patients = {record.id: record.patient_id for record in data.source.records}
    assert all(row["patient_id"] == patients[row["attr_record"]] for row in own)


def test_own_score_decides_what_is_kept(make: Make) -> None:
    def by_position(real: Tensor, edited: Tensor, **_: Any) -> Tensor:
        assert real.shape == edited.shape and not torch.equal(real, edited)
        return torch.arange(len(real)) / 10

    rows = [row for row in read_rows(make("set", score=by_position, threshold=0.1)) if row["attr_kind"] == "edit"]
    assert [row["cosine"] for row in rows] == [i % BLOCK / 10 for i in range(len(rows))]
    assert [row["kept"] for row in rows] == [i % BLOCK >= 1 for i in range(len(rows))]


def test_score_without_a_number_for_each_image_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match=rf"returns shape \(\) for {BLOCK} edits; expected a tensor of shape"):
        make("set", score=lambda real, edited, **_: (edited - real).mean())


def test_source_counterfactual_and_reference_are_the_images_as_they_were_drawn(whole: Path, data: StressData) -> None:
    record = data.source.records[0]
    for kind, dataset in {
        "source": data.source,
        "counterfactual": data.counterfactual,
        "reference": data.reference,
    }.items():
        assert dataset is not None
        torch.testing.assert_close(image(whole, kind, record.id), dataset.load(record).image, atol=0.003, rtol=0)


@pytest.mark.parametrize("record", [1, 2])
def test_killed_and_run_again_gives_the_same_bytes(record: int, make: Make, data: StressData, whole: Path) -> None:
    killed = replace(data, counterfactual=Failing(data.counterfactual, ids(data)[record], Killed()))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        make("killed", killed)
    finished = sorted(path.name for path in Path("killed/rows").glob("block-*.jsonl"))
    assert len(finished) == record // BLOCK
    assert files(make("killed")) == files(whole)


def test_finished_set_needs_no_network(make: Make, whole: Path, batches: list[int]) -> None:
    before = files(whole)
    assert files(make(whole)) == before
    assert batches == []


def test_edit_does_not_depend_on_the_other_records(make: Make, data: StressData, whole: Path) -> None:
    """But for rounding, which differs with the size of a batch."""
    alone = make("alone", block=1)
    for kind in ("edit", "keep_sham", "sham", "replay"):
        for record in ids(data):
            torch.testing.assert_close(image(whole, kind, record), image(alone, kind, record), atol=1.5 / 255, rtol=0)


@pytest.mark.slow
def test_block_that_memory_does_not_hold_is_edited_in_parts_to_the_same_images(
    make: Make, data: StressData, bundle: Bundle, whole: Path
) -> None:
    """But for rounding, which differs with the size of a batch; and the rows say so."""

    def forward(_: Any, arguments: Any) -> None:
        if len(arguments[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    unet: Any = bundle.unet
    hook = unet.register_forward_pre_hook(forward)
    folder = make("set")
    hook.remove()
    for row, before in zip(read_rows(folder), read_rows(whole), strict=True):
        assert row["id"] == before["id"] and row["at_once"] == 1 and "at_once" not in before
    for kind in kinds(whole):
        for record in ids(data):
            torch.testing.assert_close(image(whole, kind, record), image(folder, kind, record), atol=1.5 / 255, rtol=0)


def test_block_is_written_while_the_next_one_is_edited_but_before_the_run_ends(
    make: Make, data: StressData, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk so slow that the next block fails before the first is written."""
    write, failed = StressSetWriter.write_block, Event()

    def slowly(self: StressSetWriter, *arguments: Any) -> None:
        assert failed.wait(60)
        write(self, *arguments)

    class FailingLater(Failing):
        def load(self, record: Record) -> Sample:
            if record.id == self.record:
                failed.set()
            return super().load(record)

    monkeypatch.setattr(StressSetWriter, "write_block", slowly)
    failing: Any = FailingLater(data.counterfactual, ids(data)[BLOCK], Killed())  # type: ignore[arg-type]
    with pytest.raises(Killed):
        make("set", replace(data, counterfactual=failing))
    assert [path.name for path in Path("set/rows").glob("*.jsonl")] == ["block-00000.jsonl"]
    assert files(make("set")) == files(whole)


def test_error_of_the_disk_ends_the_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StressSetWriter, "write_block", fail)
    with pytest.raises(OSError, match="No space left"):
        make("set")


def test_last_block_is_padded_to_the_size_of_the_others(make: Make, batches: list[int]) -> None:
    folder = make("set")
    n_blocks = -(-N // BLOCK)
    assert N % BLOCK and len(batches) % n_blocks == 0
    each = len(batches) // n_blocks
    assert batches[-each:] == batches[:each]
    assert len({row["attr_record"] for row in read_rows(folder)}) == N


@pytest.mark.slow
@pytest.mark.parametrize(("editor", "has_reference"), [(radedit, True), (lance, True), (sdedit, False)])
def test_plan_counts_the_images_that_go_through_the_network(
    editor: Any, has_reference: bool, make: Make, make_plan: MakePlan, data: StressData, batches: list[int]
) -> None:
    given = {
        "editor": Editor.of(partial(editor.edit, w=2.0)),
        "also": {name: Editor.of(partial(module.edit, w=2.0)) for name, module in OTHERS.items()},
        "n_also": 1,
    }
    make("set", data if has_reference else replace(data, reference=None), **given)
    assert sum(batches) == make_plan(**given).calls(N, has_reference=has_reference)


def test_cost_of_the_rest_is_what_the_rest_takes(
    make: Make, make_plan: MakePlan, data: StressData, bundle: Bundle, batches: list[int]
) -> None:
    given = {"also": {"lance": Editor.of(partial(lance.edit, w=2.0))}, "n_also": 3}
    with pytest.raises(Killed):
        make("set", replace(data, counterfactual=Failing(data.counterfactual, ids(data)[2], Killed())), **given)  # type: ignore[arg-type]
    cost = expected_cost(bundle, make_plan(**given), data, Path("set"))
    assert (cost.records, cost.done) == (N, BLOCK)
    batches.clear()
    make("set", **given)
    assert cost.calls == sum(batches)
    again = expected_cost(bundle, make_plan(**given), data, Path("set"))
    assert (again.done, again.calls, again.seconds_per_call) == (N, 0, 0)


def test_disk_space_is_that_of_the_files_or_somewhat_more(
    whole: Path, make_plan: MakePlan, data: StressData, bundle: Bundle
) -> None:
    expected = expected_cost(bundle, make_plan(), data, Path("elsewhere")).megabytes
    images = [path for path in whole.rglob("*.png") if not path.parent.name.startswith("m_")]
    taken = sum(path.stat().st_size for path in images) / 1e6
    assert taken / 3 < expected < 3 * taken


def test_record_whose_edit_mask_is_kept_is_skipped_counted_and_listed(make: Make, data: StressData) -> None:
    lost = ids(data)[1]

    def masks(sample: Sample) -> tuple[Tensor, Tensor]:
        edit, keep = halves(sample)
        return (edit, edit.clone()) if sample.record.id == lost else (edit, keep)

    folder = make("set", masks=masks)
    assert {row["attr_record"] for row in read_rows(folder)} == set(ids(data)) - {lost}
    (entry,) = read_skipped(folder)
    assert entry["id"] == lost and "100 % of m_edit is lost to m_keep" in entry["reason"]


@pytest.mark.parametrize(("columns", "skipped"), [(6, 0), (8, N)])
def test_record_at_the_limit_of_what_may_be_lost_is_edited(columns: int, skipped: int, make: Make) -> None:
    """Of 16 columns, 6 lost to m_keep are 37.5 % and pass a limit of 37.5 %; 8 do not."""

    def masks(sample: Sample) -> tuple[Tensor, Tensor]:
        edit, keep = halves(sample)
        keep[..., :columns] = True
        return edit, keep

    if skipped:
        with pytest.raises(ValueError, match=f"no image: {N} records were skipped"):
            make("set", masks=masks, max_lost=0.375)
    else:
        assert {row["lost_to_keep"] for row in read_rows(make("set", masks=masks, max_lost=0.375))} == {0.375}


def test_what_is_put_back_is_put_back_into_edits_and_unchanged_images_alike(make: Make, whole: Path) -> None:
    folder = make("set", paste_back="keep")
    pasted, plain = ({row["id"]: row for row in read_rows(one)} for one in (folder, whole))
    record = next(iter(pasted.values()))["attr_record"]
    m_keep = read_mask(folder / image_path("m_keep", record))
    assert m_keep.any() and not m_keep.all()
    for kind in ("edit", "replay", "keep_sham", "sham", "reference_replay", "vae", "reference_vae"):
        base = "reference" if kind in ("sham", "reference_replay", "reference_vae") else "source"
        image, source = (read_image(folder / image_path(name, record)).pixels for name in (kind, base))
        assert torch.equal(image[m_keep], source[m_keep]) == ("vae" not in kind), kind
    contrast = {row["id"]: row["keep_change_mean"] for row in read_rows(make("contrast", paste_back="contrast"))}
    row = f"{record}/edit"  # with another background pixels can't be as they were: what the editor kept is measured
    assert contrast[row] == plain[row]["keep_change_mean"] != pasted[row]["keep_change_mean"]


def test_unknown_ways_of_putting_back_are_refused(make_plan: MakePlan) -> None:
    with pytest.raises(ValueError, match="paste_back is 'all'; allowed are none, keep"):
        make_plan(paste_back="all")
    with pytest.raises(ValueError, match="keep_share is 25; expected a share"):
        make_plan(keep_share=25)


@pytest.mark.parametrize("error", [ValueError("The pixels are damaged."), OSError("The disk is gone.")])
@pytest.mark.parametrize("part", ["source", "reference", "counterfactual"])
def test_unreadable_record_is_skipped_and_stops_no_other(
    part: str, error: Exception, make: Make, data: StressData
) -> None:
    bad = ids(data)[0]
    failing: dict[str, Any] = {part: Failing(getattr(data, part), bad, error)}
    folder = make("set", replace(data, **failing))
    assert read_skipped(folder) == [{"block": 0, "id": bad, "reason": str(error)}]
    assert {row["attr_record"] for row in read_rows(folder)} == set(ids(data)) - {bad}


def test_mistake_of_ours_is_not_taken_for_a_bad_record(make: Make, data: StressData) -> None:
    with pytest.raises(KeyError):
        make("set", replace(data, source=Failing(data.source, ids(data)[0], KeyError("ours"))))


def test_edit_replay_and_shams_of_a_record_share_noise_and_inversion(make: Make, data: StressData) -> None:
    asked: list[tuple[Trajectory, Tensor]] = []

    def edit(
        f_theta: Any, x_0: Tensor, c_inv: Any, c: Any, masks: Any, schedule: Any, randn: Any, **rest: Any
    ) -> Tensor:
        if x_0.shape[-1] > 1:  # not where network calls are counted, on one latent
            asked.append((rest["trajectory"], randn((schedule.T, *x_0.shape))))
        return x_0

    def replay(f_theta: Any, x_0: Tensor, c_inv: Any, masks: Any, schedule: Any, randn: Any, **rest: Any) -> Tensor:
        return edit(f_theta, x_0, c_inv, None, masks, schedule, randn, **rest)

    make("set", editor=Editor(partial(edit, w=1.0), partial(replay, w=1.0), "ddpm", "radedit"))
    of_both, of_replay, of_sham, of_its_replay = asked[:4]  # edit and keep-sham are made together
    both, one = ((trajectory.x_hat, trajectory.z, noise) for trajectory, noise in (of_both, of_replay))
    for twice, once in zip(both, one, strict=True):
        assert all(torch.equal(part, once) for part in twice.chunk(2, dim=1))
    assert of_sham[0] is of_its_replay[0] and not torch.equal(of_sham[0].x_hat, of_replay[0].x_hat)
    assert torch.equal(of_sham[1], one[2]) and torch.equal(of_its_replay[1], one[2])
    assert not torch.equal(one[2][:, 0], one[2][:, 1])  # another record, other noise


def test_change_of_kept_pixels_is_measured_against_the_round_trip(whole: Path, data: StressData) -> None:
    rows = {row["attr_record"]: row for row in read_rows(whole) if row["attr_kind"] == "edit"}
    for record in ids(data):
        _, keep = halves(data.source.load(next(r for r in data.source.records if r.id == record)))
        change = 255 * (image(whole, "edit", record) - image(whole, "vae", record)).abs()[keep]
        assert rows[record]["keep_change_mean"] == pytest.approx(float(change.mean()), abs=1)  # PNGs have whole levels
        assert rows[record]["keep_change_max"] == pytest.approx(float(change.max()), abs=1)


def test_score_decides_what_is_kept(make: Make) -> None:
    rows = read_rows(make("all", threshold=-1.0))
    assert all(row["kept"] is (row["cosine"] is not None) for row in rows)
    assert not any(row["kept"] for row in read_rows(make("none", threshold=1.1)))
    per_record = {(row["attr_record"], row["cosine"], row["kept"]) for row in rows}
    assert len(per_record) == N  # shams and counterfactuals follow their edit's decision


def test_another_seed_changes_edits_and_nothing_that_has_no_noise(make: Make, whole: Path, data: StressData) -> None:
    other, record = make("other", seed=1), ids(data)[0]
    assert torch.equal(image(whole, "vae", record), image(other, "vae", record))
    assert not torch.equal(image(whole, "edit", record), image(other, "edit", record))


def test_masks_are_in_the_set(whole: Path) -> None:
    dataset = kind_dataset(whole, "source")
    sample = dataset.load(dataset.records[0])
    edit, keep = halves(sample)
    assert torch.equal(sample.masks["m_edit"], edit) and torch.equal(sample.masks["m_keep"], keep)
    assert json.loads((whole / "meta.json").read_text())["fingerprint"] == {"toy": 1}


def test_training_images_can_be_edited_as_in_the_paper_and_are_others(world: World) -> None:
    how: dict[str, Any] = {"n": 3, "size": SIZE, "source": {"pneumothorax": 0}, "added": "oedema", "would": {}}
    test, train = (addition_images(world, **how, source_split=split).source for split in ("test", "train"))
    assert {r.patient_id for r in test.records}.isdisjoint({r.patient_id for r in train.records})
    assert all(record.patient_id.startswith("predictor-train") for record in train.records)
    with pytest.raises(ValueError, match="source_split is 'val'; allowed are test, train"):
        addition_images(world, **how, source_split="val")
