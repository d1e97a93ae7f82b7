"""Each argument of Lightning's Trainer works in a run, or is refused in one sentence."""

import inspect

import pytest
from lightning.pytorch import Callback, Trainer

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError

RUN = ["model=mlp", "data=digits8", "data.validation=200", "data.batch_size=500", "trainer=cpu", "plots=false"]
BUDGET = ["trainer.max_epochs=2", "trainer.precision=32-true"]
WORKS = [
    "trainer.precision=64-true",
    "trainer.precision=16-true",
    "trainer.precision=bf16-true",
    "trainer.precision=16-mixed",
    "trainer.precision=bf16-mixed trainer.gradient_clip_val=1 model/optimizer=adam",
    "trainer.precision=bf16-mixed trainer.gradient_clip_val=1 model/optimizer=adamw",
    "trainer.precision=bf16-mixed trainer.gradient_clip_val=1 model/optimizer=sgd",
    "trainer.gradient_clip_val=1 +trainer.gradient_clip_algorithm=value",
    "trainer.precision=bf16-true callbacks=ema",
    "trainer.precision=16-true callbacks=ema",
    "logger=null callbacks=null",
    "logger=[]",
    "checkpoints.last=null",
    "checkpoints.best=null",
    "+trainer.fast_dev_run=true",
    "+trainer.min_epochs=2 +trainer.min_steps=3",
    "trainer.max_steps=3",
    "+trainer.max_time=00:00:00:30",
    "trainer.limit_train_batches=0.5 trainer.limit_val_batches=1 trainer.limit_test_batches=1",
    "trainer.limit_val_batches=0",
    "+trainer.limit_predict_batches=1 +trainer.overfit_batches=1",
    "+trainer.val_check_interval=0.5",
    "trainer.check_val_every_n_epoch=2 callbacks=early_stopping",
    "trainer.check_val_every_n_epoch=2 model.monitor=val/ece",
    "trainer.check_val_every_n_epoch=null +trainer.val_check_interval=2",
    "+trainer.num_sanity_val_steps=2 +trainer.log_every_n_steps=50",
    "+trainer.enable_progress_bar=false",
    "+trainer.enable_progress_bar=true",
    "+trainer.enable_model_summary=true",
    "trainer.accumulate_grad_batches=2 callbacks=ema",
    "trainer.deterministic=warn trainer.benchmark=false",
    "+trainer.inference_mode=false +trainer.use_distributed_sampler=false +trainer.sync_batchnorm=true",
    "+trainer.detect_anomaly=true",
    "+trainer.profiler=simple",
    "+trainer.profiler=advanced",
    "+trainer.plugins=[]",
    "+trainer.reload_dataloaders_every_n_epochs=1 +trainer.enable_autolog_hparams=false +trainer.model_registry=null",
    "trainer.devices=auto trainer.strategy=auto trainer.accelerator=cpu +trainer.num_nodes=1",
]
REFUSED = [
    ("+trainer.num_nodes=2", "trainer.num_nodes is not supported"),
    ("+trainer.logger=false", "trainer.logger is not supported"),
    ("+trainer.callbacks=null", "trainer.callbacks is not supported"),
    ("+trainer.default_root_dir=elsewhere", "trainer.default_root_dir is not supported"),
    ("+trainer.enable_checkpointing=false", "trainer.enable_checkpointing is not supported"),
    ("+trainer.barebones=true", "trainer.barebones is not supported"),
    ("+trainer.profiler=pytorch", "trainer.profiler=pytorch is not supported"),
    ("trainer.limit_train_batches=0", "trainer.limit_train_batches=0 is not a positive number"),
    ("trainer.limit_test_batches=0", "trainer.limit_test_batches=0 is not a positive number"),
    ("trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches=0 is not a positive integer"),
    ("+trainer.val_check_interval=1000", "val_check_interval.* must be less than or equal"),
    ("+trainer.overfit_batches=0.5", "You requested to check 0.5"),
    ("+trainer.max_time=abc", "not a valid duration"),
    ("trainer.precision=8", "Precision 8 is invalid"),
    ("trainer.precision=transformer-engine", "transformer_engine"),
    ("trainer.accelerator=tpu", "torch_xla"),
    ("checkpoints.best.monitor=nothing", r"checkpoints.best.monitor=nothing is not a metric .*; choose from val/acc"),
    (
        "model.monitor=val/acuracy",
        r"model.monitor=val/acuracy is not a metric of this run; did you mean val/accuracy\?",
    ),
    ("callbacks=early_stopping callbacks.early_stopping.monitor=val/los", r"callbacks.early_stopping.*mean val/loss\?"),
    ("model.monitor=train/acuracy", r"did you mean train/accuracy\?"),
    ("trainer.check_val_every_n_epoch=3", "check_val_every_n_epoch=3 is more than the run's 2 epochs: set it to 2 or"),
    (
        "trainer.check_val_every_n_epoch=3 callbacks=early_stopping",
        "callbacks.early_stopping monitors val/accuracy, but trainer.check_val_every_n_epoch=3",
    ),
    ("model/schedule=plateau trainer.check_val_every_n_epoch=2", "check_val_every_n_epoch=2: set it to 1"),
    ("model/schedule=plateau trainer.limit_val_batches=0", "limit_val_batches=0 switches validation off"),
    ("callbacks=early_stopping trainer.limit_val_batches=0", "limit_val_batches=0 switches validation off"),
    ("model=knn callbacks=ema", "trained without gradients: remove callbacks=ema"),
    ("model=perceptron callbacks=ema", "gradient steps, and .* has none: remove it"),
    (
        "+trainer.profiler._target_=lightning.pytorch.profilers.Nothing",
        "trainer.profiler.*Nothing could not be imported",
    ),
    ("callbacks=ema callbacks.ema.decay=1", "decay=1.* is not a number from 0 to below 1"),
]


TOGETHER = (
    "trainer.accumulate_grad_batches=2 trainer.gradient_clip_val=0.5 trainer.deterministic=true "
    "+trainer.num_sanity_val_steps=1 trainer.precision=bf16-mixed"
)


@pytest.mark.filterwarnings("ignore")  # Lightning warns of unusual settings
@pytest.mark.parametrize("words", [TOGETHER, *(pytest.param(words, marks=pytest.mark.whole) for words in WORKS)])
def test_an_option_works(tmp_path, words):
    result = run(compose(*RUN, *BUDGET, *words.split()), folder=tmp_path / "run")
    assert result["status"] == "completed" and 0 < result["metrics"]["test/accuracy"] <= 1


@pytest.mark.filterwarnings("ignore")
def test_an_argument_is_an_object_and_a_callback_gets_outputs_and_shows_its_metric(tmp_path, caplog):
    class Watch(Callback):
        def on_validation_batch_end(self, trainer, module, outputs, *_):
            hits = outputs["probabilities"].argmax(1) == outputs["labels"]
            module.log("val/hits", hits.float().sum(), prog_bar=True, reduce_fx="sum")

    profiler = "+trainer.profiler._target_=lightning.pytorch.profilers.SimpleProfiler"
    run(compose(*RUN, *BUDGET, profiler), folder=tmp_path / "run", callbacks=[Watch()])
    assert "Profiler Report" in caplog.text and "run_training_batch" in caplog.text
    assert "  val/hits " in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_an_option_is_refused_in_one_sentence(tmp_path, words, message):
    with pytest.raises(UserError, match=message) as error:
        run(compose(*RUN, *BUDGET, *words.split()), folder=tmp_path / "run")
    assert "\n" not in str(error.value)


def test_each_argument_of_the_trainer_is_tried():
    tried = " ".join([*BUDGET, *WORKS, *(words for words, _ in REFUSED)])
    missing = [name for name in inspect.signature(Trainer.__init__).parameters if f"trainer.{name}=" not in tried]
    assert missing == ["self"]
