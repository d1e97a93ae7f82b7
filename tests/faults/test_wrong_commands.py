"""Commands that a new user might type: each ends with one sentence with the key and the remedy, and leaves nothing."""

from pathlib import Path

import pytest

XOR = ["model=xor", "data=xor", "trainer=cpu", "plots=false"]
DIGITS = ["model=mlp", "data=digits8", "trainer=cpu", "plots=false"]
CLOCK = ["model=clock_multihead", "data=clocks", "trainer=cpu", "plots=false"]
SEARCH = ["-m", "search=school_cnn"]
WRONG = [
    # names
    ("train", ["model=mpl", "data=mnist"], "model=mpl is unknown; did you mean mlp?"),
    ("train", ["model=MLP", "data=mnist"], "model=MLP is unknown; did you mean mlp?"),
    ("train", ["model=vgg", "data=cifar10"], "model=vgg is unknown; did you mean vgg"),
    ("train", ["model=mlp", "data=minst"], "data=minst is unknown; did you mean mnist?"),
    ("train", ["model=mlp", "data=cifar"], "data=cifar is unknown; did you mean cifar"),
    ("train", ["model=cnn", "model/net=wideresnet", "data=cifar10"], "did you mean wide_resnet?"),
    ("train", ["model=cnn", "model/optimizer=adm", "data=cifar10"], "did you mean adam"),
    ("train", ["model=cnn", "model/schedule=cosin", "data=cifar10"], "did you mean cosine?"),
    ("train", ["model=cnn", "data=cifar10", "data/augment=cifr"], "did you mean cifar?"),
    ("train", ["trainer=gpux", *DIGITS[:2]], "trainer=gpux is unknown"),
    ("train", [*DIGITS, "callbacks=earlystopping"], "did you mean early_stopping?"),
    ("train", [*DIGITS, "logger=tensorbord"], "did you mean tensorboard?"),
    ("train", [*DIGITS, "debug=quick"], "debug=quick is unknown"),
    ("train", ["experiment=digits/a9"], "experiment=digits/a9 is unknown"),
    ("train", ["experiment=mnist"], "experiment=mnist is unknown; did you mean mnist/fast, "),
    ("train", ["experiment=c1"], "experiment=c1 is unknown; did you mean"),
    # keys
    ("train", [*DIGITS, "lr=0.1"], "unknown key lr; did you mean model.optimizer.lr?"),
    ("train", [*DIGITS, "+epochs=3"], "unknown key epochs: dlcourse.train does not take it; did you mean trainer.max_"),
    ("train", [*DIGITS, "+model.label_smothing=3"], "did you mean model.label_smoothing?"),
    ("train", [*DIGITS, "+trainer.gradient_clip=1"], "did you mean trainer.gradient_clip_val?"),
    ("train", [*DIGITS, "model.net.width=[5]", "model.net.dept=2"], "did you mean model.net.depth?"),
    ("train", [*DIGITS, "batch_size=3"], "unknown key batch_size; did you mean data.batch_size?"),
    ("train", [*DIGITS, "data.batchsize=3"], "did you mean data.batch_size?"),
    ("train", [*DIGITS, "thread=1"], "did you mean threads?"),
    ("train", [*DIGITS, "trainer.epochs=3"], "unknown key trainer.epochs; did you mean trainer.max_epochs?"),
    ("train", ["--model", "mlp"], "unknown flag --model: write options without dashes"),
    ("train", ["mlp", "mnist"], "mlp is not an option and not a run folder"),
    ("evaluate", ["outputs/nothing"], "outputs/nothing is not an option and not a run folder"),
    ("predict", ["photos"], "photos is not an option and not an image or a folder that exists"),
    ("predict", ["input="], "input is missing"),
    ("train", ["model=mlp", "data=folder", "data.path="], "data=folder needs your images"),
    ("embed", ["-m", "method=pca,tsne", "data=digits8", "--cfg", "job"], "show one job: remove -m"),
    ("train", [*DIGITS, "seed="], "seed= is not an integer from 0 to 4294967295"),
    ("train", ["model", "=", "mlp"], "model is not an option"),
    # types and ranges
    ("train", [*DIGITS, "seed=abc"], "error: seed=abc is not an integer"),
    ("train", [*DIGITS, "seed=-1"], "error: seed=-1 is not an integer"),
    ("train", [*DIGITS, "threads=0"], "threads=0 is not a positive integer"),
    ("train", [*DIGITS, "threads=many"], "threads=many is not a positive integer"),
    ("train", [*DIGITS, "trainer.max_epochs=1.5"], "trainer.max_epochs=1.5 is not a positive integer"),
    ("train", [*DIGITS, "trainer.max_epochs=0"], "trainer.max_epochs=0 is not a positive integer"),
    ("train", [*DIGITS, "trainer.max_epochs=-1"], "trainer.max_epochs=-1 is not a positive integer"),
    ("train", [*DIGITS, "trainer.precision=half"], "trainer: Precision 'half' is invalid"),
    ("train", [*DIGITS, "trainer.accelerator=cuda"], "CUDA device not found"),
    ("train", [*DIGITS, "trainer.devices=0"], "`Trainer(devices=0)` value is not a valid input"),
    ("train", [*DIGITS, "data.batch_size=0"], "data.batch_size=0 is below 1"),
    ("train", [*DIGITS, "data.batch_size=1000000"], "data.batch_size=1000000 is larger than"),
    ("train", [*DIGITS, "data.batch_size=big"], "data.batch_size=big is not an integer"),
    ("train", [*DIGITS, "data.view=photo"], "data.view=photo is unknown: use features or picture"),
    ("train", [*DIGITS, "data.validation=-3"], "data.validation=-3 is neither a number of images"),
    ("train", [*DIGITS, "model.optimizer.lr=-1"], "model.optimizer: Invalid learning rate: -1: change that value"),
    ("train", [*DIGITS, "model.optimizer.lr=fast"], "model.optimizer.lr=fast is not a number"),
    ("train", [*DIGITS, "model.label_smoothing=2"], "model.label_smoothing=2 is out of range"),
    (
        "train",
        ["model=cnn", "model/net=resnet", *DIGITS[1:], "data.view=picture", "model.net.patch=0"],
        "patch contains 0",
    ),
    (
        "train",
        [*DIGITS, "model.net.dropout=some"],
        "dropout=some is not a number: use for example model.net.dr",
    ),
    ("train", [*DIGITS, "model.net.residual=maybe"], "residual=maybe is not true or false: use for example"),
    (
        "train",
        [*DIGITS, "data/augment=digits", "data.augment.rotation=far"],
        "data.augment.rotation=far is not a number",
    ),
    ("train", [*DIGITS, "model.net.activation=rleu"], "activation=rleu is unknown: use one of relu"),
    ("train", [*DIGITS, "model.net.init=xavier"], "init=xavier is unknown: use one of default"),
    ("train", [*DIGITS, "model.net.widths=[0]"], "dense layers contains 0"),
    ("train", [*DIGITS, "model.net.dropout=1.5"], "dropout probability has to be between 0 and 1"),
    ("train", [*DIGITS, "model.tta=flip"], "model.tta=flip is unknown: use none, mirror"),
    ("train", [*DIGITS, "model.mixup=-1"], "model.mixup=-1, model.l1=0.0 and model.l2=0.0 must be 0 or more"),
    (
        "train",
        [*DIGITS, "data.validation=100", "model/schedule=plateau", "model.schedule.factor=1"],
        "model.schedule: Factor should be < 1.0",
    ),
    ("train", [*CLOCK, "data.size=4"], "data.size=4 is out of range"),
    ("train", [*CLOCK, "data.count=0"], "data.count=0 is too small"),
    ("train", [*CLOCK, "data.count=120", "data.size=48", "model.hour=sine"], "hour=sine is unknown"),
    ("train", [*CLOCK, "+data.scene.tilt=[50,20]"], "tilt=[50, 20] is not a range"),
    ("train", [*CLOCK, "+data.scene.tiltt=[10,20]"], "unknown scene range: tiltt"),
    (
        "train",
        ["model=clock_classification", *CLOCK[1:], "data.count=120", "data.size=48", "model.num_classes=721"],
        "num_classes=721 is out of range",
    ),
    ("train", [*XOR, "model.hidden=0"], "model.hidden=0 is below 1"),
    ("train", [*XOR, "model.restarts=0"], "model.restarts=0 is below 1"),
    # what does not go together
    ("train", ["model=mlp", *CLOCK[1:]], "model=mlp needs classes, but data=clocks has time"),
    ("train", ["model=clock_cyclic", "data=digits8"], "model=clock_cyclic needs time, but data=digits8 has classes"),
    ("train", ["model=vgg16", *DIGITS[1:]], "too small"),
    ("train", ["model=fast_cnn", *DIGITS[1:]], "needs images, but the inputs have 64 features"),
    ("train", ["model=fast_cnn", *DIGITS[1:], "data.view=picture"], "images of 8x8 are too small for 3 stages"),
    ("train", ["model=cnn", "model/net=resnet", *DIGITS[1:]], "needs images, but the inputs have 64 features"),
    ("train", [*DIGITS, "data/augment=digits"], "features cannot be augmented"),
    ("train", ["model=cnn", *DIGITS[1:], "model.net.stages=[8,8]", "model.net.kernels=3"], "must be lists of filters"),
    ("train", ["model=knn", *DIGITS[1:], "lr_find=true"], "lr_find does not apply"),
    ("train", ["model=mlp", "data=digits8", "+data.path=x.npz"], "digits8 has digits of its own"),
    ("train", ["model=autoencoder", "data=toons", "+model.conditional=true"], "needs a vae, gan or flow"),
    ("train", [*DIGITS, "seed=0,1"], "seed=0,1 has several values: add -m to run one after the other"),
    ("train", [*DIGITS, "name=mine"], "name=mine names a sweep: add -m, or set hydra.run.dir=DIR"),
    ("train", [*DIGITS, "resume=true"], "resume=true does not say which run to resume: use run=DIR"),
    ("train", [*XOR, "callbacks=ema"], "callbacks=ema averages the weights of gradient steps, and XOR has none"),
    ("export", ["format=onnx", "data_dir=x"], "data_dir=x is an option of format=packed"),
    ("export", ["format=onnx", "bits=16"], "bits=16 is an option of format=packed"),
    ("train", ["data=digits8"], "model is missing"),
    ("train", ["model=mlp"], "data is missing"),
    ("train", ["-m", "data=digits8", "model=mlp,mpl"], "mpl is unknown"),
    # data and runs that are not there
    ("train", ["model=mlp", "data=digits16", "data.path=nowhere"], "data.path=nowhere not found"),
    ("train", ["model=clock_cyclic", "data=clocks_course"], "clocks_course needs the course's files"),
    ("train", ["model=clock_cyclic", "data=clocks_course", "data.path=nowhere"], "images.npy not found"),
    ("train", ["model=mlp", "data=mnist", "data.path=mine.npz"], "data.path=mine.npz not found: give an .npz file"),
    ("train", ["run=nowhere"], "run=nowhere is not a run folder"),
    ("train", ["run="], "run= is not a run folder"),
    ("train", [*DIGITS, "hydra.run.dir=/proc/none"], "hydra.run.dir=/proc/none could not be created"),
    ("evaluate", ["data=digits8"], "was trained on time, but digits8 has classes"),
    ("evaluate", ["+data.path=x"], "data is missing: choose data=arrays|"),
    ("evaluate", ["+imput=x.png"], "unknown key imput: dlcourse.evaluate does not take it"),
    ("evaluate", ["run=nowhere"], "run=nowhere is not a run folder"),
    ("evaluate", ["run=nowhere", "data=mnst"], "run=nowhere is not a run folder"),
    ("predict", [], "input is missing"),
    ("predict", ["input=[]"], "input is missing"),
    ("predict", ["run=nowhere", "input=x.png"], "run=nowhere is not a run folder"),
    ("predict", ["+imput=x.png"], "did you mean input?"),
    ("embed", [], "data is missing: choose data="),
    ("embed", ["method=pca"], "data is missing: choose data="),
    ("embed", ["method=lda", "data=digits8"], "method=lda is unknown: use pca, tsne, umap"),
    ("embed", ["data=digits8", "split=dev"], "split=dev not found in digits8: use train, test"),
    ("embed", ["data=digits8", "methods.tsne.perplexty=3"], "did you mean methods.tsne.perplexity?"),
    ("embed", ["data=digits8", "max_samples=null"], "max_samples=None is not a positive integer"),
    ("embed", ["data=digits8", "seed=-1"], "seed=-1 is not an integer"),
    ("embed", ["data=digits8", "max_samples=1"], "needs at least 25 samples, but there are 1"),
    ("train", [*DIGITS, "hydra.run.dir="], "hydra.run.dir= is empty"),
    # drawing
    ("sample", [], "run is missing"),
    ("sample", ["run=nowhere"], "run=nowhere is not a run folder"),
    ("sample", ["runn=x"], "unknown key runn; did you mean run?"),
    ("sample", ["intrpolate=9"], "unknown key intrpolate; did you mean interpolate?"),
    ("sample", ["--n", "3"], "unknown flag --n"),
    # reports
    ("report", ["folder=[outputs]"], "unknown key folder; did you mean folders?"),
    ("report", ["compare=[a,b]"], "compare: a does not exist"),
    ("report", ["publish=[nowhere]"], "publish: nowhere is not a completed run"),
    # searches and sweeps
    ("train", ["-m", *DIGITS, "+model.seeds=3,4", "name=s"], "unknown key model.seeds: Classifier does not take it"),
    ("train", ["-m", *DIGITS, "+model.seeds=3,4"], "did you mean seed=0,1,2 with -m?"),
    ("train", [*SEARCH, "+model.class_weight=1"], "did you mean model.class_weights?"),
    ("train", [*SEARCH, "+search.trails=3"], "unknown key search.trails; did you mean trials?"),
    ("train", ["search=school_cnn"], "search=... starts many runs: add -m"),
    ("train", ["-m", "search=scool_cnn"], "did you mean school_cnn?"),
    ("train", [*SEARCH, "search.minutes=long"], "search.minutes=long is not a number of 0 or more"),
    ("train", [*SEARCH, "search.trails=3"], "did you mean search.trials?"),
    ("train", [*SEARCH, "search.trials=0"], "search.trials=0 is not an integer of 1 or more"),
    ("train", [*SEARCH, "search.space.model.optimizer.lr.low=1"], "low=1 is above high=0.02: swap them"),
    ("train", [*SEARCH, "model.optimizer.lr=1,2"], "model.optimizer.lr=1,2 has several values"),
    ("train", [*SEARCH, "data=cifr10"], "data=cifr10 is unknown; did you mean cifar10?"),
    ("train", ["-m", *DIGITS, "seed=0,1", "sweep_margin=10%"], "sweep_margin=10% is not a number of 0 or more"),
    ("train", ["-m", *DIGITS, "hydra/launcher=jobib"], "hydra/launcher=jobib is unknown"),
    ("train", ["-m", "experiment=nothing/*"], "experiment=nothing/* does not match any experiment"),
]


@pytest.mark.parametrize(("verb", "words", "said"), WRONG, ids=lambda x: " ".join(x) if isinstance(x, list) else None)
def test_a_wrong_command_gets_one_sentence(command, verb, words, said):
    code, _, error = command(verb, *words)
    sentence = [line for line in error.splitlines() if line.startswith(("error: ", "job "))]
    assert code not in (0, None) and "Traceback" not in error, error
    assert sentence and said in sentence[0], error
    if "-m" not in words:
        assert len(error.strip().splitlines()) == 1, error
    assert not Path("outputs").exists() and not Path("multirun").exists()


def test_a_model_that_does_not_fit_is_refused_before_data_are_rendered_or_downloaded(command, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "data"))
    for words, said in (("model=mlp data=clocks", "clocks has time"), ("model=clock_cyclic data=mnist", "mnist has")):
        code, out, error = command("train", *words.split(), "trainer=cpu")
        assert code == 1 and said in error and not out
    assert not list(tmp_path.glob("data/*.npz"))


def test_a_group_that_takes_one_choice_is_not_offered_a_list(command):
    _, _, error = command("train", "model=mlp,cnn", "data=digits8")
    assert error.strip() == "error: model=mlp,cnn has several values: add -m to run one after the other"
    assert "or write a list as 'seed=[A,B]'" in command("train", *DIGITS, "seed=0,1")[2]
