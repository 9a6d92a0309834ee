"""The causal model: who has what, imaged where; and its interventions.

    patient ──► anatomy                     hospital ──► marker, collimation, contrast
    sex ──► breasts · age ──► ribs' contrast · body size ──► soft tissue · view ──► heart's width, diaphragm
    label ──► findings (own streams)        hospital | label and drain | pneumothorax are parameters

A `Case` is one image of one patient. `do` intervenes on it and leaves every other stream alone, so a case and
its counterfactual differ by the intervention only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from radedit.phantom.anatomy import Anatomy
from radedit.phantom.findings import Consolidation, Covid, Drain, Finding, Oedema, Pacemaker, Pneumothorax
from radedit.phantom.reports import impression

FINDINGS = ("pneumothorax", "drain", "covid", "oedema", "pacemaker", "consolidation", "cardiomegaly")
HOSPITALS = ("A", "B", "C", "D")
VIEWS = ("PA", "AP")
MAGNIFIED = 1.12  # the heart's width in an AP view, in which it lies far from the detector


def stream(*key: int | str) -> np.random.Generator:
    """A random stream of its own for every key."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


@dataclass(frozen=True)
class Appearance:
    """How a world's images look, apart from its hospitals.

    Attributes:
        gamma: Exponent of the image's response.
        noise: Standard deviation of the grain, in units of the grey range.
        rib_contrast: Factor on every patient's ribs.
    """

    gamma: float = 1.0
    noise: float = 0.012
    rib_contrast: float = 1.0


@dataclass(frozen=True)
class World:
    """Parameters of the causal model.

    Attributes:
        seed: Worlds with another seed have other patients.
        prevalence: Finding → probability; one that is absent has probability 0. `drain` follows pneumothorax.
        drain_given: P(drain | no pneumothorax) and P(drain | pneumothorax).
        hospitals: Hospital → probability.
        hospitals_given: Finding → hospital → probability among those who have it (a confounder).
        omit_drain: Share of the reports with a drain that do not mention it.
        report_noise: Share of reports with an error (see `reports.impression`).
        images: Probabilities of one, two and three images a patient.
        ap: Probability of an image to be an AP view, of a patient who lies; the others are PA views.
        appearance: The look of its images.
    """

    seed: int = 0
    prevalence: Mapping[str, float] = field(default_factory=dict)
    drain_given: tuple[float, float] = (0.02, 0.7)
    hospitals: Mapping[str, float] = field(default_factory=lambda: {"A": 0.4, "C": 0.3, "D": 0.3})
    hospitals_given: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    omit_drain: float = 0.5
    report_noise: float = 0.0
    images: tuple[float, float, float] = (0.8, 0.15, 0.05)
    appearance: Appearance = Appearance()
    ap: float = 0.0

    def __post_init__(self) -> None:
        unknown = set(self.prevalence) - set(FINDINGS)
        if unknown or "drain" in self.prevalence:
            raise ValueError(
                f"Unknown findings in prevalence: {sorted(unknown | ({'drain'} & set(self.prevalence)))}. "
                f"Allowed: {[f for f in FINDINGS if f != 'drain']}; drains follow `drain_given`."
            )
        if not 0 <= self.ap <= 1:
            raise ValueError(f"ap is {self.ap}; expected the probability of an AP view, 0…1.")
        given = [self.hospitals, *self.hospitals_given.values()]
        if any(set(h) - set(HOSPITALS) or abs(sum(h.values()) - 1) > 1e-6 for h in given):
            raise ValueError(f"Hospital probabilities must name hospitals among {HOSPITALS} and sum to 1; got {given}.")

    def images_of(self, namespace: str, patient: int) -> int:
        """How many images a patient has, 1…3."""
        return 1 + int(stream(self.seed, namespace, patient, "films").choice(3, p=self.images))

    def case(self, namespace: str, patient: int, image: int = 0) -> Case:
        """One image. `namespace` keeps the patients of different uses apart."""
        key = (self.seed, namespace, patient)
        present = {f: bool(stream(*key, f, "present").random() < self.prevalence.get(f, 0.0)) for f in FINDINGS}
        present["drain"] = bool(stream(*key, "drain", "present").random() < self.drain_given[present["pneumothorax"]])
        hospitals = next((h for f, h in self.hospitals_given.items() if present[f]), self.hospitals)
        hospital = str(stream(*key, "hospital").choice(list(hospitals), p=list(hospitals.values())))
        view = VIEWS[int(stream(*key, "view", image).random() < self.ap)]
        return Case(self, namespace, patient, image, frozenset(f for f in FINDINGS if present[f]), hospital, view)

    def cases(self, namespace: str, n: int, start: int = 0) -> list[Case]:
        """The first `n` images of a namespace, patient after patient."""
        cases: list[Case] = []
        patient = start
        while len(cases) < n:
            cases += [self.case(namespace, patient, image) for image in range(self.images_of(namespace, patient))]
            patient += 1
        return cases[:n]


@dataclass(frozen=True)
class Case:
    """One image of one patient, and everything that causes it."""

    world: World
    namespace: str
    patient: int
    image_number: int
    present: frozenset[str]
    hospital: str
    view: str = "PA"

    @property
    def id(self) -> str:
        """Names the image and every intervention on it."""
        return f"{self.patient_id}-{self.image_number}"

    @property
    def patient_id(self) -> str:
        """Names the patient."""
        return f"{self.namespace}-{self.world.seed}-{self.patient:06d}"

    def do(self, *, hospital: str | None = None, view: str | None = None, **findings: bool | int) -> Case:
        """Intervene: the same image with findings added or removed, or taken elsewhere or in another view.

        Raises:
            ValueError: If a finding, hospital or view is unknown.
        """
        if unknown := set(findings) - set(FINDINGS):
            raise ValueError(f"Unknown findings {sorted(unknown)}; allowed are {FINDINGS}.")
        if hospital is not None and hospital not in HOSPITALS:
            raise ValueError(f"Unknown hospital {hospital!r}; allowed are {HOSPITALS}.")
        if view is not None and view not in VIEWS:
            raise ValueError(f"Unknown view {view!r}; allowed are {VIEWS}.")
        added = {f for f, value in findings.items() if value}
        removed = {f for f, value in findings.items() if not value}
        present = (self.present - removed) | added
        return replace(self, present=present, hospital=hospital or self.hospital, view=view or self.view)

    def with_other_texture(self) -> Case:
        """The same image with other vessels, mottle and ribs' wobble, though of the same chest."""
        other = replace(self)
        other.__dict__["anatomy"] = replace(self.anatomy, texture_seed=self.anatomy.texture_seed ^ 0x5A5A5A)
        return other

    def stream(self, *key: int | str) -> np.random.Generator:
        """A stream of this patient's."""
        return stream(self.world.seed, self.namespace, self.patient, *key)

    @cached_property
    def anatomy(self) -> Anatomy:
        """The patient's chest, the same on all of the patient's images of a view."""
        anatomy = Anatomy.draw(self.stream("anatomy"))
        anatomy = anatomy.supine() if self.view == "AP" else anatomy
        return replace(anatomy, rib_contrast=anatomy.rib_contrast * self.world.appearance.rib_contrast)

    @cached_property
    def heart_scale(self) -> float:
        """Factor on the heart's width by cardiomegaly; 1 without."""
        enlarged = self.stream("cardiomegaly").uniform(1.22, 1.5)
        return float(enlarged) if "cardiomegaly" in self.present else 1.0

    @property
    def shown_heart_scale(self) -> float:
        """Factor on the heart's width as the view shows it."""
        return self.heart_scale * (MAGNIFIED if self.view == "AP" else 1.0)

    @cached_property
    def findings(self) -> dict[str, Finding]:
        """Drawable findings that are present; a drain goes to the side that a pneumothorax has or would have."""
        pneumothorax = Pneumothorax.sample(self.stream("pneumothorax"))
        possible: dict[str, Finding] = {
            "pneumothorax": pneumothorax,
            "drain": Drain.sample(self.stream("drain"), pneumothorax.side),
            "consolidation": Consolidation.sample(self.stream("consolidation")),
            "oedema": Oedema.sample(self.stream("oedema")),
            "covid": Covid.sample(self.stream("covid")),
            "pacemaker": Pacemaker.sample(self.stream("pacemaker")),
        }
        return {name: finding for name, finding in possible.items() if name in self.present}

    def describe(self) -> dict[str, dict[str, str]]:
        """Findings in a report's words."""
        words = {name: finding.describe() for name, finding in self.findings.items()}
        if "cardiomegaly" in self.present:
            scale = self.heart_scale
            words["cardiomegaly"] = {"severity": "mild" if scale < 1.31 else "moderate" if scale < 1.41 else "severe"}
        return words

    def report(self, *, held_out: bool = False) -> str:
        """An impression, as a radiologist would dictate it; `held_out` uses paraphrases that training never saw."""
        return impression(
            self.describe(),
            self.stream("report", self.image_number),
            omit_drain=self.world.omit_drain,
            held_out=held_out,
            noise=self.world.report_noise,
        )
