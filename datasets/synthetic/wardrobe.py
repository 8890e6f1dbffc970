"""What people wear, and the colour of their skin and hair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robust.datasets.synthetic.canvas import Color, mix, shade

# Monk-like scale from light to dark, RGB.
_SKIN: tuple[Color, ...] = (
    (246, 222, 204), (234, 196, 168), (222, 176, 142), (200, 150, 112), (172, 120, 84), (138, 92, 62), (104, 68, 46),
    (72, 48, 36),
)  # fmt: skip
_HAIR: tuple[Color, ...] = (
    (28, 24, 22),
    (52, 36, 26),
    (88, 60, 36),
    (128, 92, 52),
    (190, 158, 104),
    (150, 148, 146),
    (112, 52, 30),
)
_MUTED: tuple[Color, ...] = (
    (38, 40, 46), (58, 62, 70), (92, 94, 98), (34, 44, 70), (66, 82, 112), (88, 76, 62), (128, 112, 90), (62, 70, 56),
    (150, 150, 148),
)  # fmt: skip
_VIVID: tuple[Color, ...] = (
    (182, 44, 46), (214, 118, 40), (222, 190, 60), (60, 140, 78), (44, 112, 176), (110, 66, 150), (208, 110, 150),
    (232, 230, 224), (90, 180, 190), (140, 30, 60),
)  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """Clothes, hair and skin.

    Attributes:
        skin: Skin colour.
        hair: Hair colour.
        top: Colour of shirt, jacket, coat or dress.
        bottom: Colour of trousers, shorts or skirt.
        shoes: Colour of the shoes.
        hair_length: 0 short, 1 to the chest.
        sleeves: 0 short, 1 long.
        leg_cover: 0 bare legs under a skirt, 0.5 shorts, 1 trousers.
        loose: How wide the trousers are, 0 tight to 0.5.
        bulk: How thick the jacket is, 0 shirt to 0.35 winter coat.
        hem: How far coat or skirt hang below the hip, in trunk lengths, 0 for none.
        flare: Additional half width of the hem, in body heights.
        skirt: The hanging part has the colour of ``bottom``.
        stripes: Colour of stripes on the top, or None.
        under: Colour of a shirt under an open jacket, or None.
        hat: Colour of a hat, or None.
        beard: Whether there is a beard.
        bag: Colour of a bag, or None.
        backpack: The bag is a backpack.
    """

    skin: Color
    hair: Color
    top: Color
    bottom: Color
    shoes: Color
    hair_length: float = 0.0
    sleeves: float = 1.0
    leg_cover: float = 1.0
    loose: float = 0.0
    bulk: float = 0.0
    hem: float = 0.0
    flare: float = 0.0
    skirt: bool = False
    stripes: Color | None = None
    under: Color | None = None
    hat: Color | None = None
    beard: bool = False
    bag: Color | None = None
    backpack: bool = False

    @classmethod
    def sample(cls, rng: np.random.Generator, *, winter: float = 0.4) -> Outfit:
        """Draw an outfit; ``winter`` (0..1) is the share of coats and dark colours."""
        cold = rng.random() < winter
        skirt, coat = not cold and rng.random() < 0.22, cold and rng.random() < 0.55
        bare = 0.0 if skirt else 0.5 if not cold and rng.random() < 0.3 else 1.0
        top = _cloth(rng, 0.25 if cold else 0.6)
        return cls(
            skin=_jitter(rng, mix(*_neighbours(rng, _SKIN), rng.random()), 6),
            hair=_jitter(rng, _HAIR[rng.integers(len(_HAIR))], 8),
            top=top,
            bottom=_cloth(rng, 0.5 if skirt else 0.15),
            shoes=_jitter(rng, _MUTED[rng.integers(3)] if rng.random() < 0.7 else (220, 220, 218), 10),
            hair_length=max(0.0, rng.uniform(-0.8, 0.9)),
            sleeves=1.0 if cold or rng.random() < 0.35 else 0.0,
            leg_cover=bare,
            loose=rng.uniform(0.0, 0.45),
            bulk=rng.uniform(0.12, 0.35) if cold else rng.uniform(0.0, 0.12),
            hem=rng.uniform(0.15, 0.7) if coat else rng.uniform(0.35, 0.8) if skirt else 0.0,
            flare=rng.uniform(0.0, 0.025) if coat else rng.uniform(0.0, 0.05),
            skirt=skirt and rng.random() < 0.6,
            stripes=_cloth(rng, 0.5) if rng.random() < 0.12 else None,
            under=_cloth(rng, 0.6) if cold and rng.random() < 0.4 else None,
            hat=_cloth(rng, 0.4) if rng.random() < (0.3 if cold else 0.15) else None,
            beard=rng.random() < 0.15,
            bag=_cloth(rng, 0.35) if rng.random() < 0.32 else None,
            backpack=rng.random() < 0.55,
        )

    @classmethod
    def uniform(cls, color: Color) -> Outfit:
        """One colour from head to foot: a statue or a shop-window dummy."""
        return cls(color, shade(color, 0.95), color, shade(color, 0.93), shade(color, 0.85))


def _neighbours(rng: np.random.Generator, colors: tuple[Color, ...]) -> tuple[Color, Color]:
    i = int(rng.integers(len(colors) - 1))
    return colors[i], colors[i + 1]


def _jitter(rng: np.random.Generator, color: Color, amount: float) -> Color:
    r, g, b = (float(np.clip(c + d, 4, 250)) for c, d in zip(color, rng.normal(0, amount, 3), strict=True))
    return r, g, b


def _cloth(rng: np.random.Generator, vivid: float) -> Color:
    palette = _VIVID if rng.random() < vivid else _MUTED
    return _jitter(rng, shade(palette[rng.integers(len(palette))], rng.uniform(0.75, 1.15)), 9)
