"""Pictures of the clean images that change between the chosen threshold and its neighbours, for the tuning report."""

from __future__ import annotations

from contextlib import ExitStack

from robust.corruptions.records import CLEAN
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.gallery import Drawn, PictureMaker, not_the_predictions
from robust.eval.gallery_images import ImageSource, Origin
from robust.eval.metrics.matching import Matches
from robust.eval.metrics.threshold_costs import ThresholdCosts, flips
from robust.eval.report.gallery import Mode

MAX_FLIP_BYTES = 400_000
"""Of the pictures of one split with their boxes."""
PICTURED = 3
"""Images of each pair of thresholds that get a picture."""


def draw_flips(
    evidence: Evidence, candidate: CandidateEvidence, costs: ThresholdCosts, mode: Mode, origin: Origin
) -> Drawn:
    """Name every image that flips, and make pictures of the first ones of each pair of thresholds.

    What cannot be shown is left out and the reason is said; only data that contradicts the sweep is an error.

    Args:
        evidence: That the candidate belongs to.
        candidate: Whose boxes are drawn, with its sweep.
        costs: Of one split; they tell the images.
        mode: ``none`` reads names only, ``blurred`` makes people unrecognisable, ``full`` shows pictures as they are.
        origin: Of images and boxes.

    Raises:
        IntegrityError: stored predictions give other counts than the sweep has.
    """

    def check(variant: str, matches: Matches) -> None:
        for told in costs.flips:
            found = {one.image_id: one for one in flips(matches, costs.chosen, told.threshold).images}
            for one in told.images:
                if one.image_id in matches.image_ids and found.get(one.image_id) != one:
                    raise not_the_predictions(variant, one.image_id)

    source = ImageSource(Study(evidence), candidate, costs.split, origin)
    first = dict.fromkeys(one.image_id for told in costs.flips for one in told.images[:PICTURED])
    rest = dict.fromkeys(one.image_id for told in costs.flips for one in told.images)
    with ExitStack() as stack:
        source.open(stack)
        gallery = PictureMaker(source, mode, check, MAX_FLIP_BYTES).gallery(
            [(CLEAN, image_id) for image_id in first], [(CLEAN, image_id) for image_id in rest if image_id not in first]
        )
    return Drawn(gallery, tuple(dict.fromkeys(source.trouble)))
