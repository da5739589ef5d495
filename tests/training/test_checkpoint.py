from pathlib import Path

import pytest
import torch
from torch import nn

from penstock.atomic import replacing
from penstock.errors import ModelFileError
from penstock.training import checkpoint


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    tensors = {"a.b": torch.randn(2, 3).T, "step": torch.tensor(3.0)}
    checkpoint.save(tmp_path / "x.safetensors", tensors, {"losses": [[None, 0.1]]})
    loaded, about = checkpoint.load(tmp_path / "x.safetensors")
    assert about == {"losses": [[None, 0.1]]}
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_an_optimiser_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    def step(layer: nn.Module, adam: torch.optim.Optimizer, seed: int) -> None:
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        adam.zero_grad()
        layer(x).square().sum().backward()
        adam.step()

    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    adam = torch.optim.Adam(one.parameters())
    step(one, adam, 0)
    other.load_state_dict(one.state_dict())
    restored = torch.optim.Adam(other.parameters())
    checkpoint.save(tmp_path / "adam.safetensors", checkpoint.optimizer_tensors(adam), {})
    checkpoint.restore_optimizer(restored, checkpoint.load(tmp_path / "adam.safetensors")[0])
    step(one, adam, 1)
    step(other, restored, 1)
    assert torch.equal(one.weight, other.weight)


@pytest.mark.parametrize("content", [None, b"", b"noise" * 100])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"x\.safetensors"):
        checkpoint.load(path)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"
