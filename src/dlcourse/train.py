"""Train a model on a data set: `python -m dlcourse.train model=clock_multihead data=clocks`."""

from dlcourse.cli.launch import launch
from dlcourse.sweeps.job import run_job as task

if __name__ == "__main__":
    launch("train", task)
