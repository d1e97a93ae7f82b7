"""The steps of one run in order: prepare, fit, test, write the result, draw."""

import copy
import logging
import math
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from dlcourse.analysis.classification import doubt_threshold
from dlcourse.analysis.feature_spaces import CHOICES
from dlcourse.commands.budget import chosen_epochs
from dlcourse.commands.callbacks import configured_callbacks
from dlcourse.commands.finish import finish
from dlcourse.commands.measure import measure_split
from dlcourse.commands.monitors import MonitorCheck, check_monitors, watched_metrics
from dlcourse.commands.record import Record, first_result
from dlcourse.config.values import check_seed
from dlcourse.errors import Stopped, UserError
from dlcourse.models.build import build_logger, build_model, check_model, load_checkpoint, model_kind
from dlcourse.models.generative import Generative
from dlcourse.models.initial_weights import Weights, initial_weights, start_from
from dlcourse.runs.files import drop_parts, replaced, write_text
from dlcourse.runs.keys import LONGER, PLACE, keys_of_kind
from dlcourse.runs.provenance import config_dir, processor
from dlcourse.runs.result import CONFIG, keep_result, write_result
from dlcourse.runs.table import result_table, show
from dlcourse.training.checkpoints import LAST, ResumeCheckpoint, Stop
from dlcourse.training.csv_logger import MetricsCSV
from dlcourse.training.devices import check_accelerator, device_name, likely_device, process_rank
from dlcourse.training.lr_finder import find_rate
from dlcourse.training.memory import freed_memory_kept
from dlcourse.training.precision import agreed_precision, choose_precision
from dlcourse.training.progress import progress_callbacks
from dlcourse.training.step_size import step_work
from dlcourse.training.threads import AUTO, asked_threads, resolve_threads, threads_for, torch_threads
from dlcourse.training.trackers.base import Tracker, sweep_folder
from dlcourse.training.trainer import lightning_errors, make_trainer

log = logging.getLogger(__name__)

ADAPT = 5000  # training inputs from which a net may compute the statistics of its first layer


class Experiment:
    """One run and its record; `commands.own_module` has the run of a LightningModule that is not a BaseModule.

    Args:
        cfg, model, data, folder, overrides, callbacks: as in `commands.train.run`.
        experiment: name of the chosen preset, or None.
        tested: whether the best checkpoint is tested at the end.
        trained: epochs of the completed training that this one continues to more epochs, or None.
        sweep: folder of the sweep that the run belongs to, or None.
    """

    def __init__(
        self,
        cfg: DictConfig,
        model: Any,
        data: Any,
        folder: Path,
        overrides: Sequence[str],
        experiment: str | None,
        callbacks: Sequence[Callback] = (),
        tested: bool = True,
        trained: int | None = None,
        sweep: Path | None = None,
    ):
        self.callbacks, self.tested, self.trained, self.sweep = list(callbacks), tested, trained, sweep
        self.cfg, self.given_model, self.data, self.folder = cfg, model, data, folder
        self.resumed = (folder / CONFIG).exists()
        self.loggers: list[Logger] = []
        self.leader = process_rank() == 0  # with several processes only the first one writes
        self.stop = Stop()
        self.weights: Weights | None = None  # that a new run starts from
        self.trainer: Trainer | None = None
        self.best: ModelCheckpoint | None = None  # the callback that chooses the checkpoint to test
        # The command that started the run, not the one that resumes it.
        begun: Any = cfg.get("begun") or {
            "experiment": experiment,
            "overrides": list(overrides),
            "config_dir": config_dir(),
        }
        if trained is not None:
            words = [word for word in begun["overrides"] if word.partition("=")[0] != LONGER]
            begun = cast(Any, {**begun, "overrides": [*words, f"{LONGER}={cfg.trainer.max_epochs}"]})
        OmegaConf.update(self.cfg, "begun", begun, force_add=True)
        self.record = Record(first_result(cfg, model, data, folder, begun))

    @property
    def has_trained(self) -> bool:
        """Whether the first training step has begun."""
        return self.trainer is not None and self.trainer.fit_loop.epoch_loop.batch_progress.total.ready > 0

    def run(self) -> dict[str, Any]:
        """Run all steps; result.json is written in any case."""
        try:
            with torch_threads(resolve_threads(self.cfg.threads)), freed_memory_kept():
                return self._run()
        finally:
            for logger in self.loggers:
                if isinstance(logger, Tracker):
                    logger.finish(self.record.result)

    def _run(self) -> dict[str, Any]:
        try:
            with self.record.timed("prepare"):
                trainer = self.trainer = self._prepare()
            with self.record.counted(), self.stop.listening():
                with self.record.timed("fit"):
                    self._fit(trainer)
                pruned = any(getattr(callback, "pruned", False) for callback in self.callbacks)
                if pruned:
                    self.record.update(metrics={n: v.item() for n, v in trainer.callback_metrics.items() if "/" in n})
                else:
                    with self.record.timed("test"):
                        self._test(trainer)
            self.record.update(status="pruned" if pruned else "completed")
        except (KeyboardInterrupt, SystemExit) as end:  # Lightning ends by SystemExit in either case
            self.record.update(status="interrupted", error="interrupted")
            if (self.folder / CONFIG).exists():
                log.info("interrupted; resume with: python -m dlcourse.train %s", shlex.quote(f"run={self.folder}"))
            else:
                log.info("interrupted before the training began: run the same command again")
            raise Stopped(self.stop.signum or signal.SIGINT) from end
        except Exception as error:
            self.record.update(error=str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
            if not isinstance(error, UserError):
                log.debug("failed", exc_info=True)
            raise
        finally:
            if self.leader:
                with suppress(UserError) if self.record.result.status != "completed" else nullcontext():
                    write_result(self.folder, self.record.result)  # a full disk has been reported by then
        if self.leader and self.tested:
            if self.cfg.plots and not pruned:
                self._draw()
            show(result_table(self.record.result, self.folder))
            if not pruned:
                finish(self.folder, self.record.result, self.cfg)
        return self.record.result.to_dict() | {"folder": str(self.folder)}

    def _draw(self) -> None:
        """Draw the plots of the finished run."""
        from dlcourse.plots.dispatch import draw, draw_size_and_time
        from dlcourse.plots.style import plotting

        with plotting("plots of the run"):
            draw(self.folder, self.model, self.data)
            draw_size_and_time(self.folder, self.model.kind, self.record.result)

    def _prepare(self) -> Trainer:
        """Data, model and trainer; config.yaml is written when all its values are decided."""
        check_accelerator(self.cfg.trainer)  # before data is prepared, which may take minutes
        if self.given_model is None and not self.resumed:
            check_model(self.cfg, self.data)
        nodes = (self.cfg.get("logger") or {}).values()
        built = [build_logger(node, self.folder) for node in nodes if node is not None]
        self.callbacks += [one for one in built if isinstance(one, Callback)]  # logger=live
        self.loggers = [one for one in built if isinstance(one, Logger)]
        self._watch()
        if not any(isinstance(logger, MetricsCSV) for logger in self.loggers):
            self.loggers.append(MetricsCSV(self.folder))  # the training curves are drawn from it
        if not (self.folder / LAST).exists():
            self.weights = initial_weights(self.cfg)  # before data is prepared, which may take minutes
        check_monitors(self.cfg)
        self._check_features()
        self._load_data()
        check_monitors(self.cfg, self._has_validation())
        self.model = self._build()
        self.record.update(parameters=self._parameter_count())
        self._choose_threads()
        settings = self.cfg.trainer
        settings.max_epochs = chosen_epochs(self.cfg, self.data.title)
        check_monitors(self.cfg, self._has_validation())  # again, with the number of epochs
        if settings.precision == "auto":
            settings.precision = self._fastest_precision()
        if self.cfg.lr_find and not self.resumed:
            self._find_rate()
        if self.cfg.compile:
            self._compile()
        stored = self.folder / CONFIG
        # So that they are found from any working directory.
        for key in ("data.path", "init_from", *keys_of_kind(PLACE)):
            if OmegaConf.select(self.cfg, key) is not None:
                OmegaConf.update(self.cfg, key, str(Path(OmegaConf.select(self.cfg, key)).absolute()))
        if model_kind(self.given_model, self.cfg) == Generative.kind:
            space = str(OmegaConf.select(self.cfg, "model.features", default=CHOICES[0]))
            if space not in CHOICES:  # the folder of a run
                OmegaConf.update(self.cfg, "model.features", str(Path(space).expanduser().absolute()))
        if self.leader and self.trained is not None:
            keep_result(self.folder)
        if self.leader and (self.trained is not None or not stored.exists()):
            write_text(stored, OmegaConf.to_yaml(self.cfg, resolve=True))
        trainer = self._trainer()
        device = device_name(trainer)
        self.record.update(
            device=device, precision=settings.precision, processor=processor() if device == "cpu" else None
        )
        return trainer

    def _check_features(self) -> None:
        """Build a generative model's feature space once now: it is used only after the training."""
        space = OmegaConf.select(self.cfg, "model.features")
        if model_kind(self.given_model, self.cfg) == Generative.kind and space not in (None, CHOICES[0]):
            from dlcourse.models.run_features import feature_space

            feature_space(str(space))

    def _load_data(self) -> None:
        self.data.prepare_data()
        self.data.setup()
        if model_kind(self.given_model, self.cfg) == Generative.kind:
            self.data.as_pictures()
        if not self.data.is_published and self.record.result.references:
            log.info(
                "%s is not the published data set: results are not compared with published figures", self.data.title
            )
            self.record.update(references=[])

    def _has_validation(self) -> bool:
        return "val" in self.data.arrays

    def _parameter_count(self) -> int:
        return self.model.parameter_count()

    def _choose_threads(self) -> None:
        """Decide on `threads=auto`; the number is stored, so that the same run can be repeated."""
        if self.cfg.threads not in (AUTO, None):
            return
        threads = torch.get_num_threads()
        if threads > 1 and asked_threads(None) is None and likely_device(self.cfg.trainer).type == "cpu":
            threads = threads_for(self._step_work(), self.data.ahead)
            torch.set_num_threads(threads)
        self.cfg.threads = threads

    def _step_work(self) -> float:
        """Operations of a training step; infinite if it is not one of gradient descent."""
        if self.data.arrays and self.record.result.parameters and not self.model.full_batch:
            return step_work(self.model, next(iter(self.data.train_dataloader())), self.data.batch_size)
        return math.inf

    def _fastest_precision(self) -> str:
        batch = next(iter(self.data.train_dataloader()))
        return self.model.precision or agreed_precision(
            self.sweep, lambda: choose_precision(self.model, batch, likely_device(self.cfg.trainer))
        )

    def _compile(self) -> None:
        self.model.net.compile()

    def _watch(self) -> None:
        """Name the page on which the training can be watched; on a terminal every single run has one."""
        from dlcourse.plots.live import LivePage

        pages = [callback for callback in self.callbacks if isinstance(callback, LivePage)]
        if not pages and sys.stderr.isatty() and self.cfg.plots and self.tested and sweep_folder() is None:
            pages = [LivePage(self.folder)]
            self.callbacks += pages
        if pages and self.leader:
            log.info("watch it learn: %s", pages[0].path.absolute().as_uri())

    def _build(self) -> Any:
        """The model, with its initial weights unless a checkpoint has them."""
        check_seed(self.cfg.seed)
        seed_everything(self.cfg.seed, workers=True, verbose=False)
        model = self._new_model()
        if not (self.folder / LAST).exists() and self.weights is not None:
            log.info("%s", start_from(model, self.weights))
        return model

    def _new_model(self) -> Any:
        model = self.given_model or build_model(self.cfg, self.data.task)
        if not (self.folder / LAST).exists():  # which includes the adapted layer
            model.adapt(self.data.arrays["train"][0][:ADAPT])
        return model

    def _find_rate(self) -> None:
        if self.given_model is not None:
            raise UserError("lr_find=true requires a model from the config: compose it with model=NAME")
        if not self.record.result.parameters:
            raise UserError(
                "this model is not trained by gradient descent, so lr_find does not apply: remove lr_find=true"
            )
        trial = copy.deepcopy(self.model)
        trial.loss_guard.enabled = False
        found = find_rate(trial, self.data, self.cfg.trainer)
        log.info("learning rate: %.3g", found.rate)
        from dlcourse.plots.curves import draw_rates
        from dlcourse.plots.style import plotting

        with plotting("the plot of the learning rates"):
            draw_rates(self.folder / "plots" / "lr_find.png", found.rate, found.rates, found.losses)
        OmegaConf.update(self.cfg, "model.optimizer.lr", found.rate)
        self.model = self._build()  # again from the same seed

    def _trainer(self) -> Trainer:
        cfg = self.cfg
        configured, self.best = configured_callbacks(cfg, self.folder, self._has_validation())
        callbacks: list[Callback] = [*progress_callbacks(), *self.callbacks, *configured]
        for callback in callbacks:
            if isinstance(callback, ResumeCheckpoint):
                callback.stop, callback.trained = self.stop, self.trained
        validated = self._has_validation() and cfg.trainer.get("limit_val_batches") != 0
        more: dict[str, Any] = {} if self._has_validation() else {"limit_val_batches": 0}
        check = MonitorCheck(watched_metrics(cfg, validated))
        callbacks.append(check)
        if validated and not self.resumed and check.needs_validation(self.model):
            more |= {"num_sanity_val_steps": cfg.trainer.get("num_sanity_val_steps") or 1}
        return make_trainer(
            cfg.trainer, callbacks=callbacks, logger=self.loggers, default_root_dir=str(self.folder), **more
        )

    def _fit(self, trainer: Trainer) -> None:
        last = self.folder / LAST
        if self.leader:
            drop_parts(self.folder)
        if last.exists():
            self._read_checkpoint(last)
            log.info("resuming from %s", last)
        with lightning_errors():
            trainer.fit(self.model, self.data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
        self.record.update(epochs=trainer.current_epoch)

    def _test(self, trainer: Trainer) -> None:
        """Measure the best checkpoint on every split; the test split last, its predictions are plotted."""
        best = self.folder / "checkpoints" / "best.ckpt"
        chosen = Path(self.best.best_model_path) if self.best is not None and self.best.best_model_path else best
        if chosen != best.absolute() and chosen.exists():
            if self.leader:
                with replaced(best) as part:
                    shutil.copyfile(chosen, part)
            trainer.strategy.barrier()
        elif self.best is None or not best.exists():  # without a metric the last weights are the best
            if self.best is not None:
                log.warning("the checkpoint of %s was not saved, so the last weights are tested", self.best.monitor)
            trainer.save_checkpoint(best, weights_only=True)
        self.model.load_state_dict(self._read_checkpoint(best)["state_dict"])
        self.record.update(checkpoint_mb=round(best.stat().st_size / 2**20, 2))
        with lightning_errors():
            self._measure(trainer)

    def _measure(self, trainer: Trainer) -> None:
        for split in [name for name in self.data.arrays if self.tested or name != "test"]:
            self.record.result.metrics.update(measure_split(trainer, self.model, self.data, split))
            if split == "val" and (judged := self.model.judged_confidence()) is not None:
                self.record.update(not_sure_below=doubt_threshold(*judged))
        self.record.update(**self.model.extra_results())

    @staticmethod
    def _read_checkpoint(path: Path) -> dict[str, Any]:
        return load_checkpoint(path)
