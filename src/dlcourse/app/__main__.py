"""`python -m dlcourse.app`."""

from dlcourse.app import task
from dlcourse.cli.launch import launch

if __name__ == "__main__":
    launch("app", task)
