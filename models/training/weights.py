"""Loads weights from a checkpoint folder of the trainer, from delivered halves, or from an exported GGUF."""

from pathlib import Path

import torch

from models.training import checkpoint
from models.training.shape import ModelShape

Weights = dict[str, torch.Tensor]


def load_weights(path: Path) -> tuple[ModelShape, Weights]:
    """Return shape and weights of a ``.gguf`` file or of a checkpoint folder (``out/nano/train``, say).

    Raises:
        CheckpointError: the folder holds no whole checkpoint.
    """
    if path.suffix == ".gguf":
        from models.training.gguf_file import read_model  # noqa: PLC0415 - gguf is not there on every machine

        shape, arrays = read_model(path)
        return shape, {name: torch.from_numpy(array) for name, array in arrays.items()}
    value = checkpoint.load(path.parent, path.name)
    return ModelShape(**value["shape"]), {name: tensor.float() for name, tensor in value["model"].items()}
