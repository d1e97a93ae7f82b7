"""What each plot of a run shows, in one sentence."""

CAPTIONS = {
    "adversaries": "The losses of generator and discriminator, and how often the discriminator is right.",
    "calibration": "Is the net as sure as it should be? On the diagonal, confidence and accuracy agree.",
    "centre_distances": "Distances between the class centres: close classes are easily confused.",
    "centres": "The mean image of each class: the nearest one is the prediction.",
    "conditions": "Samples of the same noise for each value of a factor that the model is conditioned on.",
    "confused_pairs": "The pairs of classes that are confused most often, with an example of each.",
    "confusion": "True classes in rows, predictions in columns: all that is off the diagonal is a mistake.",
    "curves": "Loss and metric by epoch: dashed in training, solid on validation images.",
    "distributions": "How likely each time of the dial is, for some of the worst answers and for a good one.",
    "epochs": "The same images after several epochs of the training.",
    "errors": "How large the errors are, and at which hours and minutes.",
    "found": "Test images with the dials that were found and the times that were read.",
    "hard": "Images on which a clock is hard to read.",
    "inpainting": "Images, their visible part, and the image with a generated part in place of the hidden one.",
    "interpolation": "Steps between two random latents: along the sphere (slerp) and straight (lerp).",
    "interpolation_pictures": "Steps between two given images: along the sphere (slerp) and straight (lerp).",
    "iterations": "How many iterations the starts needed.",
    "kl": "How much of each latent dimension the model uses.",
    "learning": "The error of each start by iteration.",
    "lr_find": "The loss by learning rate, and the rate that was chosen.",
    "map": "Samples as points: near points are similar images.",
    "nearest": "Generated images above the training images nearest to them: copies would show here.",
    "passes": "The training accuracy by pass over the training samples, and by second.",
    "path": "From noise to images: the points of some paths at several times.",
    "per_class": "The share of wrong predictions of each class, the hardest first.",
    "probe": "What a linear model reads from the latents, beside raw pixels and guessing.",
    "reconstructions": "Images, each above its reconstruction.",
    "risk_coverage": "The error without the least confident predictions.",
    "robustness": "The error by hidden parameter of the scene.",
    "samples": "Some images: of the training, or drawn by the model.",
    "size_and_time": "This run among its neighbours: accuracy by size and by time.",
    "steps": "The Frechet distance of the samples by the number of steps and by solver: lower is better.",
    "surface": "The output of the net over its two inputs.",
    "traversals": "What single directions of the latent change.",
    "tries": "The number of tries that the search needed.",
    "unrolled": "Images as the net samples them around their middle: a turn of the object is a shift here.",
    "worst": "The most confident mistakes, or the largest errors.",
}


def caption(stem: str) -> str:
    """The sentence of a plot by its file name without the ending; the name itself where there is none."""
    return CAPTIONS.get(stem, stem.replace("_", " "))
