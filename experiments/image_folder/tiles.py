"""Cut tiles for the study from photographs of gravel, grass and brick that scikit-image ships.

    pip install scikit-image
    python experiments/image_folder/tiles.py tiles

The normal tiles of training and test come from different parts of the photograph of gravel. To tell apart in the test:
tiles with a thin scratch, tiles of grass and brick, and what a broken camera gives.
"""

import sys
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFilter

SIDE, TRAIN_ROWS = 128, 360
"""Pixels of a tile's side, and rows of the photograph that training tiles are from."""


def photograph(name: str) -> np.ndarray:
    """A grey photograph of 512 x 512 pixels."""
    return np.asarray(Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png").convert("L"))


def tile(image: np.ndarray, rows: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """A tile at a random place between two rows."""
    row, column = random.integers(rows[0], rows[1] - SIDE + 1), random.integers(0, image.shape[1] - SIDE + 1)
    return image[row : row + SIDE, column : column + SIDE].copy()


def scratched(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The tile with a line, one pixel wide and 30 to 60 long, that is nearly black or nearly white."""
    picture = Image.fromarray(image)
    middle, angle = random.integers(20, SIDE - 20, 2), random.uniform(0, np.pi)
    half = random.uniform(30, 60) / 2 * np.array([np.cos(angle), np.sin(angle)])
    shade = int(random.choice([random.integers(0, 40), random.integers(215, 256)]))
    ImageDraw.Draw(picture).line([*(middle - half), *(middle + half)], fill=shade, width=1)
    return np.asarray(picture)


def main(folder: Path) -> None:
    """Write all tiles."""
    random = np.random.default_rng(0)
    gravel, grass, brick = (photograph(name) for name in ("gravel", "grass", "brick"))
    height = len(gravel)

    def unseen() -> np.ndarray:
        return tile(gravel, (TRAIN_ROWS, height), random)

    tiles = {"train/good": [tile(gravel, (0, TRAIN_ROWS), random) for _ in range(300)]}
    tiles["test/good"] = [unseen() for _ in range(60)]
    tiles["test/scratch"] = [scratched(unseen(), random) for _ in range(60)]
    tiles["test/grass"] = [tile(grass, (0, height), random) for _ in range(60)]
    tiles["test/brick"] = [tile(brick, (0, height), random) for _ in range(60)]
    tiles["test/blank"] = [np.full((SIDE, SIDE), shade, dtype=np.uint8) for shade in (0, 255, 128, int(gravel.mean()))]
    tiles["test/blurred"] = [
        np.asarray(Image.fromarray(unseen()).filter(ImageFilter.GaussianBlur(8))) for _ in range(8)
    ]
    tiles["test/overexposed"] = [np.clip(unseen() * 1.5 + 150, 0, 255).astype(np.uint8) for _ in range(8)]
    for name, images in tiles.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(folder / name / f"{number:03}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
