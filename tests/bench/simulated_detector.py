"""Simulated test sets of which the truth is known: people in images, and detectors that share what is hard.

Signal detection: every person and every distractor (a post, a poster, a shadow) of an image gives a detector some
evidence, and what gives more than 0 becomes a detection. Persons come in clusters (some images are empty, some are
crowded), a hard image makes all of its persons hard and has more distractors, and two detectors agree on much of it.
So boxes of one image are far from independent, as in real sets. No box is drawn: a person has one detection or none.

    persons of an image      Poisson with a gamma-distributed mean (negative binomial), `PERSONS` on average
    difficulty of an image   z, standard normal
    distractors of an image  Poisson(`DISTRACTORS` * exp(0.5 z - 0.125))
    evidence                 mean + image part + own part, both normal; `AGREEMENT` of their variance is the same for
                             all detectors. Mean: the skill for a person, -1 for a distractor
    score                    1 / (1 + exp(-1.5 (evidence - 0.8))), which is about beta-shaped
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

PERSONS = 3.0
CLUSTERING = 1.0
"""Shape of the gamma; smaller is more clustered. 1 leaves a quarter of the images empty."""
DISTRACTORS = 6.0
IMAGE_SD = 0.7
AGREEMENT = 0.84
"""Gives estimates of two equal detectors a correlation of about 0.8."""
DETECTED = {0.26: (0.365, 0.405), 0.57: (0.655, 0.705), 0.83: (0.875, 0.905), 0.97: (0.985, 0.995)}
"""About the AP50 of a detector -> share of persons that give it any evidence above 0, and that of a better rival.

All lie midway between two of COCO's 101 recall points. AP over infinitely many images jumps where the last recall
crosses such a point (by up to 0.008), so anywhere else the "true AP" would depend on the last image of the population.
"""
POPULATION = 200_000
"""Images that stand for infinitely many: the error of a truth is then 3 % of the standard error of 200 images."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """What is to be seen in n images; the same for all detectors.

    Attributes:
        n_images: Images.
        image: int64 (m,), image of each person and distractor.
        is_person: bool (m,).
        evidence: float64 (m,), the part that all detectors share, without their skill.
    """

    n_images: int
    image: NDArray[np.int64]
    is_person: NDArray[np.bool_]
    evidence: NDArray[np.float64]

    @property
    def persons_per_image(self) -> NDArray[np.float64]:
        """float64 (n_images,)."""
        return np.bincount(self.image[self.is_person], minlength=self.n_images).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Found:
    """What one detector makes of the scenes: score, whether it is a person, and image of each detection."""

    score: NDArray[np.float64]
    hit: NDArray[np.bool_]
    image: NDArray[np.int64]


def scenes(n_images: int, rng: np.random.Generator) -> Scenes:
    """Draw images."""
    difficulty = rng.standard_normal(n_images)
    persons = rng.poisson(rng.gamma(CLUSTERING, PERSONS / CLUSTERING, n_images))
    distractors = rng.poisson(DISTRACTORS * np.exp(0.5 * difficulty - 0.125))
    image = np.repeat(np.tile(np.arange(n_images), 2), np.concatenate([persons, distractors]))
    is_person = np.arange(len(image)) < persons.sum()
    shared = np.where(is_person, -IMAGE_SD * difficulty[image], 0.0) + rng.standard_normal(len(image))
    return Scenes(n_images, image, is_person, np.sqrt(AGREEMENT) * shared - ~is_person)


def detect(seen: Scenes, ability: float, rng: np.random.Generator) -> Found:
    """Let a detector look at the scenes; each call is another detector of that skill."""
    own_image = IMAGE_SD * rng.standard_normal(seen.n_images)
    own = np.where(seen.is_person, own_image[seen.image], 0.0) + rng.standard_normal(len(seen.image))
    evidence = seen.evidence + np.sqrt(1 - AGREEMENT) * own + ability * seen.is_person
    kept = evidence > 0
    score = 1 / (1 + np.exp(-1.5 * (evidence[kept] - 0.8)))
    return Found(score, seen.is_person[kept], seen.image[kept])


def skill(detected: float) -> float:
    """The skill with which this share of all persons gives evidence above 0."""
    return float(np.sqrt(1 + IMAGE_SD**2) * special.ndtri(detected))


def average_precision(found: Found, n_persons: int) -> float:
    """101-point AP, written down anew and for one set only, so that it can judge the product's."""
    hit = found.hit[np.argsort(-found.score, kind="stable")]
    tp = np.cumsum(hit)
    precision = np.maximum.accumulate((tp / np.arange(1, len(hit) + 1))[::-1])[::-1]
    first = np.searchsorted(tp / n_persons, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[first].sum() / 101)


def recall(found: Found, n_persons: int, threshold: float = 0.5) -> float:
    """Share of the persons that are found with at least this score."""
    return float(np.count_nonzero(found.hit & (found.score >= threshold)) / n_persons)


def truths(skills: tuple[float, ...], seed: int, n_images: int = POPULATION) -> list[dict[str, float]]:
    """AP50 and recall of each skill on a very large set, all on the same one."""
    rng = np.random.default_rng(seed)
    seen = scenes(n_images, rng)
    n_persons = int(seen.is_person.sum())
    found = [detect(seen, ability, rng) for ability in skills]
    return [{"AP50": average_precision(one, n_persons), "recall": recall(one, n_persons)} for one in found]
