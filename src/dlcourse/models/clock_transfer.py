"""Clock readers that start from ImageNet weights (row G5)."""

from dlcourse.models.clock import ClockReader
from dlcourse.models.pretrained import Pretrained


class TransferReader(Pretrained, ClockReader):
    """Reads the time of a clock image, starting from the ImageNet weights of `nets.transfer.Transfer`."""
