"""A blinded reader study: its page tells nothing, its key everything, and forms are read as they were filled."""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from scipy.stats import mannwhitneyu
from torch import Tensor

from radedit import reader_study as readers
from radedit.data.stress_set import StressSetWriter, image_path
from radedit.harness.reader_study.forms import Form, read_forms
from radedit.harness.reader_study.results import ALL, ReaderResults, Realism, reader_results
from radedit.harness.reader_study.study import Item, ReaderStudy, draw_study, read_key, write_key
from radedit.harness.stress.scenario import Addition, Removal
from radedit.report.reader_study.form import blind
from radedit.report.reader_study.table import FILE, write_reader_results
from radedit.report.sweep.page import write_report
from tests.commands import run
from tests.made_up_runs import REMOVAL, removal_run

PATIENTS, N, REPEATS, SIDE = 40, 32, 6, 16
MOST = 32  # patients with a kept edit
IMAGES = {
    "real": ["source", "reference"], "vae": ["vae", "reference_vae"], "sham": ["keep_sham", "sham"], "edited": ["edit"],
}  # fmt: skip
OF_REMOVAL = ("source", "vae", "keep_sham", "edit", "reference", "reference_vae", "sham")
OF_ADDITION = ("source", "vae", "sham", "edit", "counterfactual")
ADDITION: dict[str, Any] = {
    "name": "population", "title": "", "section": "", "added": "oedema", "structures": ["lungs"], "edited": ["lungs"],
    "prompt": "Oedema.", "sham_prompt": "Nothing.", "score_real": "Nothing.", "score_edit": "Oedema.",
}  # fmt: skip

Answering = Callable[[Item], Mapping[str, Any]]


def written_set(folder: Path, scenario: Removal | Addition, kinds: tuple[str, ...]) -> Path:
    """A finished set of noise: some patients have two images, and every fifth edit was not kept."""
    rows: list[dict[str, Any]] = []
    images: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(0)
    for i in range(PATIENTS + 10):
        record = f"study-{i:04d}"
        for kind in kinds:
            path = image_path(kind, record)
            images[path] = torch.rand(1, SIDE, SIDE, generator=generator)
            facts = {
                "attr_kind": kind,
                "attr_record": record,
                "attr_licence": "CC BY 4.0",
                "attr_url": "https://example.org/7",
                "kept": i % 5 != 0,
            }
            rows.append({"id": f"{record}/{kind}", "patient_id": f"patient-{i % PATIENTS:04d}", "image": path, **facts})
    with StressSetWriter(folder, {"scenario": scenario.determines}) as writer:
        writer.claim(0)
        writer.write_block(0, rows, images)
        writer.finish()
    return folder


@pytest.fixture(scope="module")
def stress_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_set(tmp_path_factory.mktemp("set") / "set", Removal(**REMOVAL), OF_REMOVAL)


@pytest.fixture(scope="module")
def study(stress_set: Path) -> ReaderStudy:
    return drawn(stress_set)


@pytest.fixture(scope="module")
def exported(stress_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a study that the command exported."""
    out = tmp_path_factory.mktemp("out")
    assert run(readers.main, export_words(stress_set, out)) == 0
    (folder,) = (out / "readers").iterdir()
    return folder


def export_words(stress_set: Path, out: Path, *more: str) -> list[str]:
    numbers = [f"study.n={N}", f"study.repeats={REPEATS}"]
    return ["+scenario=acquisition", f"stress_set={stress_set}", f"out={out}", *numbers, *more]


def drawn(stress_set: Path, seed: int = 0, **changed: Any) -> ReaderStudy:
    return draw_study(stress_set, Removal(**REMOVAL), IMAGES, **{"n": N, "repeats": REPEATS, "seed": seed, **changed})


def perfect(item: Item) -> dict[str, Any]:
    return {"looks": 1 if item.kind == "real" else 5, "finding": "yes" if item.has else "no"}


def guessing(seed: int) -> Answering:
    rng = random.Random(seed)
    return lambda item: {"looks": rng.randint(1, 5), "finding": rng.choice(["yes", "no", "unsure"])}


def filled(study: ReaderStudy, answer: Answering, reader: str = "AB") -> dict[str, Any]:
    """A form as the page downloads it."""
    answers = [{"item": item.item, "seconds": 6.0, "comment": "", **answer(item)} for item in study.items]
    return {"study": study.hash, "reader": reader, "started": "", "saved": "", "answers": answers}


def saved(form: Any, name: str = "form.json") -> Path:
    Path(name).write_text(json.dumps(form))
    return Path(name)


def read(study: ReaderStudy, *forms: Any) -> list[Form]:
    return read_forms([saved(form, f"form-{i}.json") for i, form in enumerate(forms)], study)


def results(study: ReaderStudy, *forms: Any) -> ReaderResults:
    return reader_results(study, read(study, *forms))


def told(found: ReaderResults, kind: str, reader: str = "AB") -> Realism:
    return next(one for one in found.told if (one.reader, one.kind) == (reader, kind))


def uris(page: str) -> list[str]:
    return re.findall(r"data:image/png;base64,([\w+/=]+)", page)


# What is drawn


def test_a_patient_is_shown_as_one_kind_only(study: ReaderStudy) -> None:
    patients = [item.patient for item in study.items if item.repeats is None]
    assert len(patients) == len(set(patients)) == N


def test_kinds_and_their_images_are_equally_many(study: ReaderStudy) -> None:
    first = [item for item in study.items if item.repeats is None]
    for kind, images in IMAGES.items():
        assert [sum((i.kind, i.image) == (kind, image) for i in first) for image in images] == [
            N // 4 // len(images)
        ] * len(images)


def test_only_records_whose_edit_was_kept_are_shown(study: ReaderStudy) -> None:
    assert all(int(item.record.removeprefix("study-")) % 5 for item in study.items)


def test_what_comes_twice_was_seen_in_the_first_half(study: ReaderStudy) -> None:
    again = [item for item in study.items if item.repeats is not None]
    assert len(again) == REPEATS
    for item in again:
        before = study.items[(item.repeats or 0) - 1]
        assert (before.record, before.image, before.repeats) == (item.record, item.image, None)
        assert before.item <= N // 2 < item.item


def test_seed_gives_the_order(stress_set: Path, study: ReaderStudy) -> None:
    assert drawn(stress_set).hash == study.hash
    assert [item.kind for item in drawn(stress_set, seed=1).items] != [item.kind for item in study.items]


def test_truth_of_the_finding_is_that_of_the_scenario(study: ReaderStudy) -> None:
    assert {item.image for item in study.items if item.has} == {"source", "vae", "keep_sham"}


def test_an_addition_has_its_finding_where_it_was_added(tmp_path: Path) -> None:
    scenario = Addition(**ADDITION)
    folder = written_set(tmp_path / "set", scenario, OF_ADDITION)
    study = draw_study(folder, scenario, IMAGES | {"real": ["source", "counterfactual"]}, n=16, repeats=0, seed=0)
    assert {item.image for item in study.items if item.has} == {"edit", "counterfactual"} and study.finding == "oedema"


def test_caution_is_given_where_the_finding_alone_tells_edits(stress_set: Path, study: ReaderStudy) -> None:
    assert study.cautions == []
    alone = draw_study(stress_set, Removal(**REMOVAL), IMAGES | {"real": ["source"]}, n=N, repeats=0, seed=0)
    assert "No real image is without COVID-19" in alone.cautions[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n": 30}, "multiple of 4"),
        ({"n": 400}, f"at most {MOST}"),
        ({"n": 0}, "multiple of 4"),
        ({"repeats": 17}, "expected 0…16"),
    ],
)
def test_impossible_numbers_are_refused(stress_set: Path, changed: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        drawn(stress_set, **changed)


def test_set_of_another_scenario_is_refused(stress_set: Path) -> None:
    with pytest.raises(ValueError, match="was not made for scenario population"):
        draw_study(stress_set, Addition(**ADDITION), IMAGES, n=N, repeats=0, seed=0)


def test_kind_that_the_set_lacks_is_refused(stress_set: Path) -> None:
    with pytest.raises(ValueError, match="'lance' has none that the set has"):
        draw_study(stress_set, Removal(**REMOVAL), IMAGES | {"lance": ["lance"]}, n=N, repeats=0, seed=0)


# What readers get


def test_page_names_no_record_patient_or_kind_of_image(exported: Path, stress_set: Path) -> None:
    page = (exported / readers.FORM).read_text()
    study = read_key(exported / readers.KEY)
    told = {word for item in study.items for word in (item.record, item.patient)}
    told |= {"keep_sham", "reference", "vae", str(stress_set), study.stress_set, "example.org"}
    text = re.sub(r"data:image/png;base64,[\w+/=]+", "", page)
    assert not [word for word in told if word in text]


def test_pages_of_two_orders_differ_in_pixels_and_hash_only(exported: Path, stress_set: Path, tmp_path: Path) -> None:
    assert run(readers.main, export_words(stress_set, tmp_path, "study.seed=1")) == 0
    (other,) = (tmp_path / "readers").iterdir()
    bare = []
    for folder in (exported, other):
        hash_ = read_key(folder / readers.KEY).hash
        page = re.sub(r"data:image/png;base64,[\w+/=]+", "", (folder / readers.FORM).read_text())
        bare.append(page.replace(hash_, "").replace(hash_[:8], ""))
    assert bare[0] == bare[1]


def test_images_on_the_page_are_those_of_the_key(exported: Path, stress_set: Path) -> None:
    found = uris((exported / readers.FORM).read_text())
    study = read_key(exported / readers.KEY)
    assert len(found) == len(study.items) == N + REPEATS
    for uri, item in zip(found, study.items, strict=True):
        file = stress_set / image_path(item.image, item.record)
        with Image.open(io.BytesIO(base64.b64decode(uri))) as shown, Image.open(file) as stored:
            assert shown.mode == "L" and shown.tobytes() == stored.convert("L").tobytes()


def test_images_have_no_metadata_and_as_many_bytes_each(exported: Path) -> None:
    files = [base64.b64decode(uri) for uri in uris((exported / readers.FORM).read_text())]
    assert len({len(file) for file in files}) == 1
    for file in files:
        with Image.open(io.BytesIO(file)) as image:
            image.load()
            assert not image.info
        assert set(re.findall(rb"IHDR|IDAT|IEND|tEXt|iTXt|zTXt|eXIf|tIME|pHYs", file)) <= {b"IHDR", b"IDAT", b"IEND"}


def test_page_is_self_contained(exported: Path) -> None:
    page = (exported / readers.FORM).read_text()
    assert not re.search(r"""(src|href|action)=["']?(?!data:)[\w/.]""", page.replace('href="#', ""))
    assert not re.search(r"\bfetch\(|XMLHttpRequest|import\(|@import", page)
    assert "CC BY 4.0" in page


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    for side in (8, 9):
        Image.linear_gradient("L").resize((side, side)).save(tmp_path / f"{side}.png")
    with pytest.raises(ValueError, match="expected one"):
        blind([tmp_path / "8.png", tmp_path / "9.png"])


# What comes back


def test_perfect_reader_tells_all(study: ReaderStudy) -> None:
    found = results(study, filled(study, perfect))
    for kind in ("vae", "sham", "edited"):
        area = told(found, kind).auroc
        assert area is not None and area.value == 1
    assert {one.seen.value if one.seen else None for one in found.seen if one.has} == {1}
    assert {one.seen.value if one.seen else None for one in found.seen if not one.has} == {0}


def test_guessing_reader_is_not_told_from_chance(study: ReaderStudy) -> None:
    found = results(study, filled(study, guessing(2)))
    for kind in ("vae", "sham", "edited"):
        area = told(found, kind).auroc
        assert area is not None and area.low is not None and area.high is not None
        assert area.low <= 0.5 <= area.high


def test_edits_are_ranked_against_real_images_without_the_finding(study: ReaderStudy) -> None:
    form = filled(study, guessing(4))
    first = [item for item in study.items if item.repeats is None]
    looks = {entry["item"]: entry["looks"] for entry in form["answers"]}
    edited = [looks[item.item] for item in first if item.kind == "edited"]
    real = [looks[item.item] for item in first if item.image == "reference"]
    area = told(results(study, form), "edited").auroc
    expected = mannwhitneyu(edited, real).statistic / (len(edited) * len(real))
    assert area is not None and area.value == pytest.approx(expected)


def test_image_that_came_twice_counts_once(study: ReaderStudy) -> None:
    changed = filled(study, perfect)
    for entry, item in zip(changed["answers"], study.items, strict=True):
        if item.repeats is not None:
            entry["looks"], entry["finding"] = 3, "unsure"
    found, expected = results(study, changed), results(study, filled(study, perfect))
    assert (found.told, found.seen) == (expected.told, expected.seen)


@pytest.mark.parametrize(("turned", "same"), [(False, 1), (True, 0)])
def test_agreement_with_oneself_is_of_the_images_that_came_twice(
    study: ReaderStudy, turned: bool, same: int
) -> None:  # fmt: skip
    """A steady reader gives the same answer again; one who then turns his scale round never does."""

    def answer(item: Item) -> dict[str, Any]:
        looks = 1 + (item.repeats or item.item) % 2 * 4
        return {"looks": 6 - looks if turned and item.repeats else looks, "finding": "yes"}

    looks, _ = results(study, filled(study, answer)).agreement
    assert looks.n == REPEATS and looks.same is not None and looks.same.value == same


@pytest.mark.slow
def test_three_readers_are_compared_in_pairs_and_together(study: ReaderStudy) -> None:
    found = results(study, *(filled(study, perfect, reader) for reader in ("AB", "CD", "EF")))
    between = [entry for entry in found.agreement if len(entry.readers) > 1]
    assert [len(entry.readers) for entry in between] == [2, 2, 2, 2, 2, 2, 3]
    assert all(entry.kappa is not None and entry.kappa.value == 1 for entry in between)


def test_kappa_of_one_answer_only_is_not_known(study: ReaderStudy) -> None:
    same = [filled(study, lambda item: {"looks": 3, "finding": "no"}, reader) for reader in ("AB", "CD")]
    assert all(entry.kappa is None for entry in results(study, *same).agreement)


def test_half_filled_form_is_counted_and_used_as_far_as_it_goes(study: ReaderStudy) -> None:
    form = filled(study, perfect)
    form["answers"][0]["looks"] = None
    form["answers"][1]["finding"] = None
    form["answers"] = form["answers"][:-1]
    (one,) = results(study, form).filled
    last = len(study.items)
    assert (one.complete, one.missing) == (last - 3, [1, 2, last])
    looks = sum(entry.n for entry in results(study, form).told)
    assert looks == N - sum(study.items[i].repeats is None for i in (0, last - 1))


def test_all_readers_are_compared_on_images_that_all_rated(study: ReaderStudy) -> None:
    half = filled(study, perfect, "CD")
    half["answers"] = half["answers"][: N // 2]
    found = results(study, filled(study, perfect), half)
    assert sum(one.n for one in found.told if one.reader == ALL) == N // 2


def damaged(change: Callable[[dict[str, Any]], Any]) -> Callable[[ReaderStudy], Any]:
    def form(study: ReaderStudy) -> Any:
        made = copy.deepcopy(filled(study, perfect))
        change(made)
        return made

    return form


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (damaged(lambda form: form.update(study="0" * 64)), "is of study 000000000000"),
        (damaged(lambda form: form["answers"][0].update(item=99)), "item 99 is not in the study"),
        (damaged(lambda form: form["answers"][0].update(item=2)), "item 2 is there twice"),
        (damaged(lambda form: form["answers"][0].update(looks=6)), "looks is 6; allowed are 1…5"),
        (damaged(lambda form: form["answers"][0].update(looks=True)), "looks is True"),
        (damaged(lambda form: form["answers"][0].update(finding="maybe")), "finding is 'maybe'"),
        (damaged(lambda form: form["answers"][0].update(seconds=-1)), "seconds is -1"),
        (damaged(lambda form: form["answers"].append("?")), "has no item"),
        (damaged(lambda form: form.update(reader=" ")), "is no filled form"),
        (damaged(lambda form: form.pop("answers")), "is no filled form"),
        (damaged(lambda form: form.update(answers=[])), "None of the 1 forms has an answer"),
        (lambda study: [1], "an object is expected"),
    ],
)
def test_form_that_can_not_be_of_this_study_is_refused(
    study: ReaderStudy, form: Callable[[ReaderStudy], Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(study, form(study))


def test_two_forms_of_one_reader_are_refused(study: ReaderStudy) -> None:
    with pytest.raises(ValueError, match="both by reader 'ab'"):
        read(study, filled(study, perfect, "AB"), filled(study, perfect, "ab"))


def test_key_that_was_changed_is_refused(study: ReaderStudy, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_bytes(write_key(study, {}))
    assert read_key(file) == study
    key = json.loads(file.read_text())
    key["items"][0]["kind"] = "edited" if key["items"][0]["kind"] != "edited" else "real"
    file.write_text(json.dumps(key))
    with pytest.raises(ValueError, match="it was changed since it was written"):
        read_key(file)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["answers=[a.json]"], "key was not given"),
        (["answers=[a.json]", "key=none.json"], "There is no key none.json"),
        (["answers=[none.json]", "key=KEY"], "There is no form none.json"),
        (["key=KEY"], "answers is empty"),
        (["+scenario=acquisition", "stress_set=nowhere"], "is no finished stress set"),
    ],
)
def test_command_says_what_is_missing(
    exported: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(readers.main, [word.replace("KEY", str(exported / readers.KEY)) for word in words]) == 2
    assert said in capsys.readouterr().err


# Where it goes


@pytest.mark.slow
def test_command_writes_numbers_table_page_and_the_reports_section(exported: Path) -> None:
    key = exported / readers.KEY
    study = read_key(key)
    one = removal_run(Path("out/stress"), seed=0, n=8)
    other = removal_run(Path("out/stress"), seed=1, n=8, stress_set="another")
    of_set(one, study.stress_set)
    forms = [saved(filled(study, perfect, who), f"{who}.json") for who in ("AB", "CD")]
    assert run(readers.main, [f"answers=[{','.join(map(str, forms))}]", f"key={key}", "out=out"]) == 0
    found = json.loads((exported / FILE).read_text())
    assert found["stress_set"] == study.stress_set and [form["reader"] for form in found["filled"]] == ["AB", "CD"]
    assert "| all readers | edited |" in (exported / readers.TABLE).read_text()
    page = (exported / "reader-study.html").read_text()
    assert "Readers tell edited images from real ones: AUROC 1.00" in page
    assert "What human readers say" in (one / "report.html").read_text()
    assert not (other / FILE).exists()


@pytest.mark.slow
def test_report_refuses_readers_of_another_set(study: ReaderStudy, tmp_path: Path) -> None:
    run_folder = removal_run(tmp_path, seed=0, n=8)
    write_reader_results(results(study, filled(study, perfect)), {}, run_folder / FILE)
    with pytest.raises(ValueError, match="is of stress set"):
        write_report(run_folder)
    of_set(run_folder, study.stress_set)
    assert "What human readers say" in write_report(run_folder).read_text()


def of_set(run_folder: Path, stress_set: str) -> None:
    """Make a run one on this stress set."""
    file = run_folder / "results.json"
    found = json.loads(file.read_text())
    found["hashes"]["stress_set"] = stress_set
    file.write_text(json.dumps(found))


FILL = """<script>
const shown = (text) => { document.body.innerHTML = `<pre>${text}</pre>`; };
URL.createObjectURL = (blob) => { blob.text().then(shown); return "data:,"; };
const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
document.getElementById("reader").value = "XY";
document.querySelector("form").requestSubmit();
for (let i = 0; i < IMAGES.length; i++) { press(String(1 + (i % 5))); press("ynu"[i % 3]); press("ArrowRight"); }
document.getElementById("save").click();
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_form_filled_by_keys_in_a_browser_is_read_back(exported: Path, tmp_path: Path) -> None:
    page = tmp_path / "form.html"
    page.write_text((exported / readers.FORM).read_text().replace("</body>", FILL))
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    ended = subprocess.run(
        [*command, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    text = re.search(r"<pre>(.*)</pre>", ended.stdout, re.DOTALL)
    assert text is not None
    study = read_key(exported / readers.KEY)
    (form,) = read(study, json.loads(text[1]))
    assert form.reader == "XY" and not form.missing
    assert [answer.looks for answer in form.answers.values()][:6] == [1, 2, 3, 4, 5, 1]
    assert [answer.finding for answer in form.answers.values()][:3] == ["yes", "no", "unsure"]
