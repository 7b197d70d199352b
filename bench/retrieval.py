"""Quality of photo search on a catalogue folder: ``python -m bench.retrieval --data DIR --json``.

The folder holds products.csv (sku, title, description, category, price, image, photos) and queries.csv (image,
relevant_sku). It is indexed in a throw-away database, the encoder is tuned on the catalogue's own photos (never on
queries), and the queries are searched for through the code that the API uses.
"""

from __future__ import annotations

import io
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

import bench.django_setup  # noqa: F401 - before models are imported
from bench import catalogue_folder, command_line
from bench.catalogue_folder import Query, Row
from shopvision.catalogue.models import CatalogueImage
from shopvision.evaluation.retrieval_metrics import auroc, map_at, recall_at
from shopvision.exceptions import InvalidRequest
from shopvision.images.colour import foreground
from shopvision.images.decode import decode
from shopvision.images.preprocess import fit_square
from shopvision.listings import search_by_photo
from shopvision.metrics import quantile
from shopvision.tuning import tuner

DEPTH = 10  # products looked at per query
MAX_OWN = 120  # catalogue photos tried for "a product's own photo is first"
KINDS_OUT = 2  # folds of product kinds left out of the index for the no-match measure
Say = Callable[[str], None]


def evaluate(folder: Path, *, tune: bool, say: Say) -> dict[str, Any]:
    """Everything, on a catalogue folder; each setting in a shop of its own.

    Raises:
        InvalidRequest: the folder is not one.
    """
    rows, queries = catalogue_folder.read_products(folder), catalogue_folder.read_queries(folder)
    if not any(row.photos for row in rows) or not queries:
        raise InvalidRequest(f"{folder}: no products with photos, or no queries.csv with photos")
    answer: dict[str, Any] = {"queries": len(queries), "tuned": tune}
    with catalogue_folder.sandbox(folder):
        say("all photos")
        catalogue_folder.fill(rows)
        answer |= _index(tune)
        answer["photos"], times = _measured(folder, queries)
        answer |= times
        answer |= _own(folder, rows, say)
        say("catalogue images in the index, fitted on all photos")
        catalogue_folder.keep_photos([row.sku for row in rows], [row.photos[0] for row in rows if row.photos])
        catalogue_folder.index_everything()
        answer["catalogue_image"] = _measured(folder, queries)[0]
    with catalogue_folder.sandbox(folder):
        say("catalogue images alone")
        catalogue_folder.fill(rows, photos=1)
        _index(tune)
        answer["packshot_only"] = _measured(folder, queries)[0]
    answer["no_match_auroc"] = _no_match(folder, rows, queries, tune=tune, say=say)
    return answer


def _index(tune: bool) -> dict[str, Any]:
    figures = catalogue_folder.index_everything()
    found = {"images_per_second": figures.get("images_per_second", 0.0), "images": figures.get("images", 0)}
    if tune:
        start = time.perf_counter()
        row = tuner.tune()
        found["tuning"] = {
            "seconds": round(time.perf_counter() - start, 1),
            "state": row.state,
            "precision": row.precision,
            **{key: row.metrics.get(key) for key in ("recall@1", "compared_with", "judged_on", "recipe")},
        }
    return found


def _measured(folder: Path, queries: Sequence[Query]) -> tuple[dict[str, float], dict[str, float]]:
    """Recall and precision over the queries; and how long a search took."""
    ranked, took = [], []
    for query in queries:
        found = search_by_photo((folder / query.image).read_bytes(), limit=DEPTH)
        ranked.append([hit.product.object_id for hit in found.hits])
        took.append(found.took_ms)
    relevant = [query.relevant for query in queries]
    quality = {f"recall@{k}": round(recall_at(ranked, relevant, k), 4) for k in (1, 5)}
    quality["map@10"] = round(map_at(ranked, relevant, 10), 4)
    times = {f"search_ms_p{p}": round(quantile(took, p / 100), 1) for p in (50, 95)}
    return quality, times


def _no_match(folder: Path, rows: list[Row], queries: list[Query], *, tune: bool, say: Say) -> float | None:
    """Leave some product kinds out of the shop: can the search tell their photos from the others'."""
    kinds = sorted({row.category for row in rows if row.photos})
    if len(kinds) < 2:
        return None
    sold: list[float] = []
    unsold: list[float] = []
    for fold in range(KINDS_OUT):
        say(f"no match, fold {fold + 1} of {KINDS_OUT}")
        inside = set(kinds[fold::KINDS_OUT])
        known = {row.sku for row in rows if row.category in inside}
        with catalogue_folder.sandbox(folder):
            catalogue_folder.fill(row for row in rows if row.sku in known)
            _index(tune)
            for query in queries:
                match = search_by_photo((folder / query.image).read_bytes(), limit=1).match
                (sold if query.relevant & known else unsold).append(match.probability if match else 0.0)
    return round(auroc(sold, unsold), 4)


def _own(folder: Path, rows: list[Row], say: Say) -> dict[str, float]:
    """A product's own photo must find it, also cropped, turned, recompressed, on another background."""
    say("own photos and their perturbations")
    owners = _owners(rows)
    step = max(1, len(owners) // MAX_OWN)
    chosen = list(owners.items())[::step][:MAX_OWN]
    found: dict[str, list[bool]] = {}
    for name, skus in chosen:
        data = (folder / name).read_bytes()
        image = decode(data)
        found.setdefault("own_photo", []).append(_first(data) in skus)
        for kind, changed in _perturbed(image).items():
            found.setdefault(kind, []).append(_first(_jpeg(changed)) in skus)
        found.setdefault("jpeg_30", []).append(_first(_jpeg(image, 30)) in skus)
    rates = {kind: round(float(np.mean(hits)), 4) for kind, hits in found.items()}
    changes = [rate for kind, rate in rates.items() if kind not in ("own_photo", "background_replaced")]
    return {**rates, "own_photo_perturbed": round(float(np.mean(changes)), 4)}


def _owners(rows: list[Row]) -> dict[str, set[str]]:
    """Products of each photo, photos of the same bytes taken together: shared photos cannot tell products apart."""
    digests = dict(CatalogueImage.objects.values_list("name", "content_digest"))
    by_digest: dict[str, set[str]] = {}
    for row in rows:
        for name in row.photos:
            by_digest.setdefault(digests.get(name, name), set()).add(row.sku)
    return {name: by_digest[digests.get(name, name)] for row in rows for name in row.photos}


def _first(data: bytes) -> str:
    hits = search_by_photo(data, limit=1).hits
    return hits[0].product.object_id if hits else ""


def _perturbed(image: Image.Image) -> dict[str, Image.Image]:
    width, height = image.size
    crop = image.crop((int(width * 0.15), int(height * 0.15), int(width * 0.85), int(height * 0.85)))
    return {
        "crop_70": crop,
        "rotate_20": image.rotate(20, Image.Resampling.BILINEAR, fillcolor=(255, 255, 255)),
        "brightness": ImageEnhance.Brightness(image).enhance(1.3),
        "flip": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "background_replaced": _on_another_background(image),
    }


def _on_another_background(image: Image.Image) -> Image.Image:
    """The photo's foreground on a checked grey cloth."""
    square = fit_square(image, 448)
    mask = Image.fromarray((foreground(np.asarray(square)[None])[0].clip(0, 1) * 255).astype(np.uint8))
    axis = np.arange(448) // 28
    cloth = 150 + 30 * ((axis[:, None] + axis[None, :]) % 2)
    back = Image.fromarray(np.repeat(cloth[..., None], 3, axis=2).astype(np.uint8))
    return Image.composite(square, back, mask.resize(square.size, Image.Resampling.BILINEAR))


def _jpeg(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Read the command line, measure and print."""
    parser = command_line.make_parser("bench.retrieval", __doc__)
    parser.add_argument("--data", required=True, type=Path, help="catalogue folder")
    parser.add_argument("--no-tune", action="store_true", help="leave the encoder untuned, to compare")

    def measure(options: Namespace) -> dict[str, Any]:
        folder = options.data.resolve()
        return {"data": folder.name, **evaluate(folder, tune=not options.no_tune, say=command_line.say)}

    return command_line.run(parser, measure, arguments)


if __name__ == "__main__":
    main()
