"""Trains a small network on drawn photos in a process of its own, which a test may kill.

Arguments: folder, and after how many steps the process kills itself (0: never).
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

from shopvision.classifiers.augmentation import Augmentation
from shopvision.classifiers.fine_tuning import LabelledPhotos, Recipe, Training
from shopvision.classifiers.trainer import Schedule
from tests.drawing import jpeg

COUNT = 18
PHOTOS = LabelledPhotos(
    read=jpeg,
    labels=[("round", "square", "pointed")[row % 3] for row in range(COUNT)],
    products=[f"thing {row}" for row in range(COUNT)],
)
RECIPE = Recipe(
    backbone="torchvision:mobilenet_v3_small",
    pretrained=False,
    enlarge=1.0,
    views=4,
    schedule=Schedule(epochs=3, batch=6, warm_up=1.0),
    baseline=None,
    augmentation=Augmentation(),
    threads=1,
)


def main(folder: Path, fatal_step: int) -> None:
    training = Training(PHOTOS, RECIPE, folder)
    for number, _ in enumerate(training.steps(), 1):
        if number == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)
    print(hashlib.sha256(training.result().classifier.to_bytes()).hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
