import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from radedit.phantom.findings import Drain
from radedit.phantom.render import HOSPITAL_LOOKS, render
from radedit.phantom.world import FINDINGS, HOSPITALS, Appearance, Case, World

SIZE = 96
HEALTHY: dict[str, Any] = dict.fromkeys(FINDINGS, 0)


def healthy(patient: int = 0, **world: Any) -> Case:
    return World(**world).case("test", patient).do(**HEALTHY)


def all_of(*findings: str, value: int = 1) -> dict[str, Any]:
    """Arguments of `do` by name, where mypy would fear a hospital among them."""
    return dict.fromkeys(findings, value)


@pytest.mark.parametrize("finding", [f for f in FINDINGS if f != "cardiomegaly"])
@pytest.mark.parametrize("patient", [1, 2])
def test_a_finding_changes_the_image_where_it_is_and_nowhere_far(finding: str, patient: int) -> None:
    without, with_it = render(healthy(patient), SIZE), render(healthy(patient).do(**all_of(finding)), SIZE)
    name = "opacities" if finding == "covid" else finding
    mask = with_it.masks[name]
    change = np.abs(with_it.image - without.image)
    assert mask.any()
    assert change[mask].mean() > 0.03
    far = ~_grow(mask, SIZE // 8)
    assert change[far].max() < 0.08  # haze fades, and noise is the same


def _grow(mask: np.ndarray, radius: int) -> np.ndarray:
    from scipy import ndimage

    return ndimage.distance_transform_edt(~mask) <= radius


def test_cardiomegaly_widens_the_heart_and_leaves_the_chest_wall_alone() -> None:
    without, with_it = (render(healthy().do(cardiomegaly=c), SIZE) for c in (0, 1))
    assert with_it.masks["heart"].sum() > 1.15 * without.masks["heart"].sum()
    assert not (with_it.masks["lungs"] & ~without.masks["lungs"]).any()


@pytest.mark.parametrize("finding", FINDINGS)
def test_removing_a_finding_gives_back_the_image_without_it(finding: str) -> None:
    case = healthy(3)
    again = case.do(**all_of(finding)).do(**all_of(finding, value=0))
    assert np.array_equal(render(again, SIZE).image, render(case, SIZE).image)


@pytest.mark.parametrize(("finding", "other"), itertools.permutations(["pneumothorax", "drain", "pacemaker"], 2))
def test_findings_have_streams_of_their_own(finding: str, other: str) -> None:
    alone, together = healthy(4).do(**all_of(finding)), healthy(4).do(**all_of(finding, other))
    assert alone.findings[finding] == together.findings[finding]


def test_a_drain_goes_to_the_side_of_the_pneumothorax_even_where_there_is_none() -> None:
    for patient in range(20):
        case = healthy(patient).do(drain=1)
        drain = case.findings["drain"]
        assert isinstance(drain, Drain)
        assert drain.side == case.do(pneumothorax=1).describe()["pneumothorax"]["side"]


@pytest.mark.parametrize("finding", ["pneumothorax", "consolidation"])
def test_left_is_the_patients_left_and_the_pictures_right(finding: str) -> None:
    for patient in range(6):
        case = healthy(patient).do(**all_of(finding))
        image, side = render(case, SIZE), case.describe()[finding]["side"]
        columns = np.nonzero(image.masks[finding])[1]
        assert (columns.mean() > SIZE / 2) == (side == "left")
    left, right = (np.nonzero(image.masks[f"{s}_lung"])[1].mean() for s in ("left", "right"))
    assert left > right


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_collimator_and_marker_pin_both_ends_of_the_grey_range(hospital: str) -> None:
    for findings in ({}, {"pacemaker": 1}, {"pneumothorax": 1, "drain": 1}):
        image = render(healthy(5).do(hospital=hospital, **findings), SIZE).image
        assert image.min() == 0
        assert image.max() == 1


def test_hospitals_look_different() -> None:
    images = [render(healthy(5).do(hospital=h), SIZE).image for h in HOSPITALS]
    assert min(np.abs(a - b).mean() for a, b in itertools.combinations(images, 2)) > 0.01
    assert set(HOSPITAL_LOOKS) == set(HOSPITALS)


def test_masks_stay_where_anatomy_puts_them() -> None:
    for patient in range(8):
        case = healthy(patient).do(pneumothorax=1, consolidation=1, covid=1, oedema=1)
        masks = render(case, SIZE).masks
        chest = _grow(masks["lungs"] | masks["heart"], 2)
        for name in ("pneumothorax", "consolidation", "opacities", "oedema"):
            assert not (masks[name] & ~chest).any(), name
        assert not (masks["left_lung"] & masks["right_lung"]).any()
        assert 0.12 < masks["lungs"].mean() < 0.45


def test_boxes_enclose_the_opacities_exactly() -> None:
    image = render(healthy(2).do(covid=1), SIZE)
    covered = np.zeros((SIZE, SIZE), bool)
    for x, y, width, height in image.boxes["opacities"]:
        covered[int(y) : int(y + height), int(x) : int(x + width)] = True
    assert not (image.masks["opacities"] & ~covered).any()


@pytest.mark.parametrize("size", [64, 200, 512])
def test_the_same_patient_at_any_resolution(size: int) -> None:
    from PIL import Image

    case = healthy(1).do(pneumothorax=1, drain=1)
    small, image = render(case, 64).image, render(case, size)
    assert image.image.shape == (size, size)
    shrunk = np.asarray(Image.fromarray(image.image).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.97


def test_correlations_are_parameters() -> None:
    world = World(
        prevalence={"pneumothorax": 0.5, "covid": 0.4},
        drain_given=(0.1, 0.9),
        hospitals={"A": 1.0},
        hospitals_given={"covid": {"B": 0.8, "A": 0.2}},
    )
    cases = [world.case("many", i) for i in range(2000)]

    def share(given: str, value: bool, of: str) -> float:
        group = [case for case in cases if (given in case.present) == value]
        return sum(of in case.present or of == case.hospital for case in group) / len(group)

    assert share("pneumothorax", True, "drain") == pytest.approx(0.9, abs=0.04)
    assert share("pneumothorax", False, "drain") == pytest.approx(0.1, abs=0.04)
    assert share("covid", True, "B") == pytest.approx(0.8, abs=0.05)
    assert share("covid", False, "B") == 0
    assert sum("pneumothorax" in case.present for case in cases) / len(cases) == pytest.approx(0.5, abs=0.04)


def test_patients_of_two_namespaces_or_seeds_differ() -> None:
    world = World()
    anatomies = {world.case(ns, i).anatomy for ns in ("generator", "sources") for i in range(50)}
    anatomies |= {World(seed=1).case("generator", i).anatomy for i in range(50)}
    assert len(anatomies) == 150


def test_a_patient_looks_alike_on_all_images_but_stands_elsewhere() -> None:
    world = World(images=(0.0, 0.0, 1.0))
    images = [world.case("test", 7, image) for image in range(3)]
    assert world.images_of("test", 7) == 3
    assert len({case.anatomy for case in images}) == 1
    assert len({case.patient_id for case in images}) == 1
    assert len({case.id for case in images}) == 3
    assert not np.array_equal(render(images[0], SIZE).image, render(images[1], SIZE).image)


def test_appearance_changes_the_image_and_not_the_patient() -> None:
    case = healthy(3)
    other = replace(case, world=World(appearance=Appearance(gamma=1.3, noise=0.03)))
    a, b = render(case, SIZE), render(other, SIZE)
    assert np.abs(a.image - b.image).mean() > 0.02
    assert all(np.array_equal(a.masks[name], b.masks[name]) for name in a.masks)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="pneumonia"):
        healthy().do(pneumonia=1)
    with pytest.raises(ValueError, match="'E'"):
        healthy().do(hospital="E")
    with pytest.raises(ValueError, match="drain"):
        World(prevalence={"drain": 0.5})
    with pytest.raises(ValueError, match="sum to 1"):
        World(hospitals={"A": 0.5})


def test_causes_of_the_picture_are_told_and_show() -> None:
    cases = [World().case("test", patient) for patient in range(300)]
    of_sex = {sex: [case.anatomy for case in cases if case.anatomy.sex == sex] for sex in "FM"}
    assert 110 < len(of_sex["F"]) < 190
    assert all(anatomy.breast for anatomy in of_sex["F"]) and not any(anatomy.breast for anatomy in of_sex["M"])
    ages, ribs = (np.array([getattr(case.anatomy, name) for case in cases]) for name in ("age", "rib_contrast"))
    assert ages.min() >= 20 and ages.max() <= 90 and np.corrcoef(ages, ribs)[0, 1] < -0.99
    large = [case.anatomy.fat for case in cases if case.anatomy.body_size == "large"]
    assert min(large) >= 2 / 3 and 60 < len(large) < 140


def test_age_is_the_patients_whatever_the_world_makes_of_ribs() -> None:
    faint = World(appearance=Appearance(rib_contrast=0.5))
    assert faint.case("test", 7).anatomy.age == World().case("test", 7).anatomy.age


def test_an_ap_view_has_a_wider_heart_and_shorter_lungs() -> None:
    for patient in range(4):
        pa, ap = (render(healthy(patient).do(view=view), SIZE).masks for view in ("PA", "AP"))
        assert ap["heart"].any(0).sum() > 1.05 * pa["heart"].any(0).sum()
        assert ap["lungs"].sum() < 0.97 * pa["lungs"].sum()


def test_views_are_drawn_image_by_image_and_only_where_the_world_has_them() -> None:
    assert {case.view for case in World().cases("test", 50)} == {"PA"}
    cases = World(ap=0.4).cases("test", 400)
    assert 0.3 < np.mean([case.view == "AP" for case in cases]) < 0.5
    with pytest.raises(ValueError, match="ap is 2"):
        World(ap=2.0)
    with pytest.raises(ValueError, match="Unknown view"):
        healthy().do(view="lateral")
