"""Reports each epoch of a trial to the search, and stops trials that fall behind."""

from pathlib import Path

import optuna
from lightning.pytorch import Callback, LightningModule, Trainer

from dlcourse.sweeps.search.study import load


class Report(Callback):
    """Reports the monitored validation metric of each epoch, and stops the fit of a hopeless trial.

    Args:
        journal: of the search.
        number: of the trial.
        monitor: the metric.
    """

    def __init__(self, journal: Path, number: int, monitor: str):
        self.monitor = monitor
        self.pruned = False
        study = load(journal)
        self.frozen = study.get_trials(deepcopy=False)[number]
        self.trial = optuna.Trial(study, self.frozen._trial_id)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning's EarlyStopping looks here too."""
        if trainer.state.fn != "fit" or trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        epoch = trainer.current_epoch + 1
        if epoch not in self.frozen.intermediate_values:  # else reported before the trial was interrupted
            self.trial.report(trainer.callback_metrics[self.monitor].item(), epoch)
        last = trainer.max_epochs is not None and 0 < trainer.max_epochs <= epoch
        if not last and self.trial.should_prune():
            self.pruned = trainer.should_stop = True
