"""Rows that are drawn: blobs, classification and regression.

A page of rows is drawn from a generator of its own, which depends on the seed and on the page's
number alone; so any block of rows can be cut out of pages, and memory holds one page. Sums run
feature by feature in a fixed order rather than through BLAS, whose rounding depends on threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.datasets.labels import class_labels, code_dtype, number_labels
from experiments.datasets.table import Block, Table, page_rows
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from experiments.datasets.labels import LabelKind
    from experiments.datasets.options import (
        BlobsOptions,
        ClassificationOptions,
        RegressionOptions,
    )
    from experiments.datasets.table import Progress

    Options = BlobsOptions | ClassificationOptions | RegressionOptions
    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

_SETUP, _PAGE = 0, 1


def open_generated(
    options: Options, label_kind: LabelKind, on_rows: Progress = lambda *_: None
) -> Table:
    """Return a generated source; only its class labels are drawn yet.

    Raises
    ------
    RequestError
        If the label is asked to be classes and is numbers.
    """
    recipe = recipe_of(options)
    title = f"the source {options.source!r}"
    if label_kind == "classes" and not recipe.n_classes:
        raise RequestError(
            f"The label of {title} is numbers, and classification needs classes; choose another "
            f"source or task."
        )
    as_classes = recipe.n_classes > 0 and label_kind != "numbers"
    labels = number_labels("label")
    if as_classes:
        codes = np.empty(options.n_samples, dtype=code_dtype(recipe.n_classes))
        for page in range(n_pages(options)):
            drawn = draw_page(options, recipe, page, features=False)
            codes[drawn.start : drawn.start + len(drawn.classes)] = drawn.classes
            on_rows(drawn.start + len(drawn.classes), options.n_samples)
        labels = class_labels(codes, tuple(map(str, range(recipe.n_classes))), "label")

    def blocks(block_rows: int) -> Iterator[Block]:
        for page in range(n_pages(options)):
            drawn = draw_page(options, recipe, page)
            for first in range(0, len(drawn.classes), block_rows):
                cut = slice(first, first + block_rows)
                yield Block(drawn.columns[:, cut], drawn.y[:0] if as_classes else drawn.y[cut])

    names = tuple(f"feature_{i}" for i in range(options.n_features))
    return Table(title, names, options.n_samples, labels, blocks)


class DrawnPage(NamedTuple):
    """Rows of one page.

    Attributes
    ----------
    start : int
        Position of the first row.
    classes : ndarray of shape (n_rows,), dtype int64
        Number of the class, 0 where the label is numbers.
    columns : ndarray of shape (n_features, n_rows), dtype float64
        Features; no rows where they were not asked for.
    y : ndarray of shape (n_rows,), dtype float64
        The label as numbers; empty where neither it is classes nor features were asked for.
    """

    start: int
    classes: Integers
    columns: Floats
    y: Floats


class _Labels(NamedTuple):
    classes: Integers
    clouds: Integers


class Recipe(NamedTuple):
    """How to draw the rows of a page.

    ``draw_labels(rng, rows)`` comes first, so that labels can be had without the features;
    ``draw_columns(rng, clouds)`` gives the features, of shape (n_features, rows), and the label
    where it is numbers. ``n_classes`` is 0 where it is.
    """

    n_classes: int
    draw_labels: Callable[[np.random.Generator, int], _Labels]
    draw_columns: Callable[[np.random.Generator, Integers], tuple[Floats, Floats]]


def recipe_of(options: Options) -> Recipe:
    """Return how the rows of a source are drawn."""
    if options.source == "blobs":
        return _blobs(options)
    if options.source == "classification":
        return _classification(options)
    return _regression(options)


def n_pages(options: Options) -> int:
    """Return how many pages the rows of a source are drawn in."""
    return -(-options.n_samples // page_rows(options.n_features))


def draw_page(options: Options, recipe: Recipe, page: int, *, features: bool = True) -> DrawnPage:
    """Draw the rows of one page, which depend on nothing but the options and its number.

    Parameters
    ----------
    options : BlobsOptions, ClassificationOptions or RegressionOptions
        The source.
    recipe : Recipe
        Of the source.
    page : int
        Its number, from 0.
    features : bool
        Whether features are drawn, or no more than the classes.
    """
    size = page_rows(options.n_features)
    start = page * size
    rng = _generator(options.seed, _PAGE, page)
    drawn = recipe.draw_labels(rng, min(size, options.n_samples - start))
    columns, y = np.empty((options.n_features, 0)), np.empty(0)
    if features:
        columns, y = recipe.draw_columns(rng, drawn.clouds)
    if recipe.n_classes:
        y = drawn.classes.astype(np.float64)
    return DrawnPage(start, drawn.classes, columns, y)


def _generator(seed: int, *key: int) -> np.random.Generator:
    # spawn keys, unlike longer seeds, cannot collide: (5) and (5, 0) would be one seed
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def _blobs(options: BlobsOptions) -> Recipe:
    setup = _generator(options.seed, _SETUP)
    centers = setup.uniform(-10, 10, size=(options.n_features, options.centers))

    def draw_labels(rng: np.random.Generator, rows: int) -> _Labels:
        clouds = rng.integers(options.centers, size=rows)
        return _Labels(clouds, clouds)

    def draw_columns(rng: np.random.Generator, clouds: Integers) -> tuple[Floats, Floats]:
        columns = rng.standard_normal((options.n_features, len(clouds)))
        columns *= options.cluster_std
        for feature, positions in enumerate(centers):
            columns[feature] += positions[clouds]
        return columns, np.empty(0)

    return Recipe(options.centers, draw_labels, draw_columns)


def _classification(options: ClassificationOptions) -> Recipe:
    # the design of scikit-learn's make_classification: clouds at corners of a hypercube, each
    # with a linear mixing of its own, dealt out to the classes in turn
    setup = _generator(options.seed, _SETUP)
    n_clouds = options.n_classes * options.n_clusters_per_class
    n_informative = options.n_informative
    corners = (2.0 * _corners(setup, n_clouds, n_informative) - 1.0) * options.class_sep
    mixings = setup.uniform(-1, 1, size=(n_clouds, n_informative, n_informative))

    def draw_labels(rng: np.random.Generator, rows: int) -> _Labels:
        clouds = rng.integers(n_clouds, size=rows)
        flipped = rng.random(rows) < options.flip_y
        anew = rng.integers(options.n_classes, size=rows)
        return _Labels(np.where(flipped, anew, clouds % options.n_classes), clouds)

    def draw_columns(rng: np.random.Generator, clouds: Integers) -> tuple[Floats, Floats]:
        columns = rng.standard_normal((options.n_features, len(clouds)))
        order = np.argsort(clouds, kind="stable")
        bounds = np.searchsorted(clouds[order], np.arange(n_clouds + 1))
        for cloud in range(n_clouds):
            rows = order[bounds[cloud] : bounds[cloud + 1]]
            raw = columns[:n_informative, rows]
            mixed = np.repeat(corners[cloud][:, None], len(rows), axis=1)
            for values, weights in zip(raw, mixings[cloud], strict=True):
                mixed += weights[:, None] * values
            columns[:n_informative, rows] = mixed
        return columns, np.empty(0)

    return Recipe(options.n_classes, draw_labels, draw_columns)


def _corners(rng: np.random.Generator, n_corners: int, n_dims: int) -> NDArray[np.int64]:
    # distinct corners differ in the first 62 coordinates already; the others are free
    counted = min(n_dims, 62)
    codes = rng.choice(2**counted, size=n_corners, replace=False, shuffle=True)
    bits = (codes[:, None] >> np.arange(counted)) & 1
    return np.hstack([bits, rng.integers(2, size=(n_corners, n_dims - counted))])


def _regression(options: RegressionOptions) -> Recipe:
    setup = _generator(options.seed, _SETUP)
    coefficients = 100.0 * setup.random(options.n_informative)

    def draw_labels(_: np.random.Generator, rows: int) -> _Labels:
        nothing = np.zeros(rows, dtype=np.int64)
        return _Labels(nothing, nothing)

    def draw_columns(rng: np.random.Generator, clouds: Integers) -> tuple[Floats, Floats]:
        columns = rng.standard_normal((options.n_features, len(clouds)))
        y = rng.standard_normal(len(clouds)) * options.noise
        for values, coefficient in zip(columns, coefficients, strict=False):
            y += coefficient * values
        return columns, y

    return Recipe(0, draw_labels, draw_columns)
