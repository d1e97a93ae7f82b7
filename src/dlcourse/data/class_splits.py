"""Splits of labelled images: stratified by class, or as folds of a cross-validation."""

from collections.abc import Sequence

import numpy as np

from dlcourse.errors import UserError

Splits = dict[str, np.ndarray]  # indices int64 of each split, sorted


def check_shares(**shares: float) -> None:
    """Refuse shares, by the name of their option, that are neither fractions nor numbers of images.

    Raises:
        UserError: naming the option.
    """
    for key, value in shares.items():
        if value < 0 or (value >= 1 and value != int(value)):
            raise UserError(f"data.{key}={value} is neither a number of images nor a fraction: use for example 0.15")


def check_folds(folds: int | None, fold: int | None) -> None:
    """Refuse a number of folds below 2, and a fold that does not exist.

    Raises:
        UserError: naming the option.
    """
    if folds is None:
        if fold is not None:
            raise UserError(f"data.fold={fold} requires the number of folds: add data.folds=5")
        return
    if not isinstance(folds, int) or folds < 2:
        raise UserError(f"data.folds={folds} is not a number of folds: use 2 or more, or null")
    if not isinstance(fold, int) or not 0 <= fold < folds:
        raise UserError(
            f"data.fold={fold} is not one of {folds} folds: use 0 to {folds - 1}, or with -m all of them (0,1,...)"
        )


def hold_out(labels: np.ndarray, index: np.ndarray, share: float, seed: int, classes: Sequence[str]) -> Splits:
    """Split some images in two, each class in the same proportion.

    Args:
        labels: int64 of all images.
        index: the images to split.
        share: to hold out: a fraction, or a number of images from 1.
        seed: of the choice.
        classes: names, for the message.

    Returns:
        `held_out`, at least one image of each class, and `rest`, also at least one; all images in `rest` if `share`
        is 0.

    Raises:
        UserError: a class has too few images.
    """
    if not share:
        return {"held_out": index[:0], "rest": index}
    fraction = share / len(index) if share >= 1 else share
    if fraction >= 1:
        raise UserError(f"{share} images to hold out leave none of {len(index)} to train on: use a smaller number")
    draws, held_out = np.random.default_rng(seed), []
    for label in np.unique(labels[index]):
        members = draws.permutation(index[labels[index] == label])
        if len(members) < 2:
            raise UserError(
                f"the class {classes[label]!r} has too few images to split: give 3 or more of each class (training, "
                "validation and test), or 2 with data.validation=0"
            )
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held_out.append(members[:count])
    chosen = np.sort(np.concatenate(held_out))
    return {"held_out": chosen, "rest": np.setdiff1d(index, chosen)}


def fold_indices(labels: np.ndarray, folds: int, fold: int, seed: int, classes: Sequence[str]) -> Splits:
    """One fold of a stratified cross-validation as `held_out`, the others as `rest`.

    Raises:
        UserError: a class has fewer images than there are folds.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < folds:
        name = classes[int(counts.argmin())]
        raise UserError(
            f"data.folds={folds} needs {folds} images of each class, but {name!r} has {counts.min()}: "
            f"use data.folds={max(counts.min(), 2)} or give more images"
        )
    from sklearn.model_selection import StratifiedKFold

    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels))
    rest, held_out = parts[fold]
    return {"held_out": held_out, "rest": rest}


def split_by_class(
    labels: np.ndarray,
    given: np.ndarray,
    classes: Sequence[str],
    validation: float,
    test: float,
    seed: int,
    folds: int | None = None,
    fold: int | None = None,
) -> Splits:
    """The splits of labelled images.

    Args:
        labels: int64 [N].
        given: the split that the user gave to each image [N]: `train`, `val`, `test`, or empty (the same as `train`).
        classes: names of the classes.
        validation, test: share to hold out of the training images, unless that split is given.
        seed: of the choice.
        folds, fold: instead of `test`: the number of folds, and the one to test on.

    Returns:
        `train`, `val` unless empty, and `test`.

    Raises:
        UserError: a class has too few images, or a split lacks a class that it needs.
    """
    splits = {name: np.flatnonzero(given == name) for name in ("val", "test")}
    rest = np.flatnonzero((given == "train") | (given == ""))
    missing = sorted(set(labels.tolist()) - set(labels[rest].tolist()))
    if missing:
        raise UserError(
            f"the class {classes[missing[0]]!r} does not have training images: give training images of each class"
        )
    if folds is not None:
        if len(splits["test"]) or len(splits["val"]):
            raise UserError("data.folds needs one set of images, but a val or test split is given: use data.folds=null")
        assert fold is not None
        parts = fold_indices(labels, folds, fold, seed, classes)
        splits["test"], rest = parts["held_out"], parts["rest"]
    elif not len(splits["test"]):
        if not test:
            raise UserError("data.test=0 leaves the test split empty: use for example 0.15, or give a test split")
        parts = hold_out(labels, rest, test, seed, classes)
        splits["test"], rest = parts["held_out"], parts["rest"]
    if not len(splits["val"]):
        parts = hold_out(labels, rest, validation, seed + 1, classes)
        splits["val"], rest = parts["held_out"], parts["rest"]
    found = {"train": rest} | splits
    return {name: index for name, index in found.items() if name != "val" or len(index)}
