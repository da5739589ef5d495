"""The generated C under AddressSanitizer and UndefinedBehaviorSanitizer, over the odd shapes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -g -O1"
SWEEPS = """
import torch, penstock
torch.manual_seed(0)
SHAPES = [(5, 3, 4, 7), (1, 1, 1, 1), (3, 13, 5, 33), (2, 2, 3, 70), (4, 9, 40, 64)]
torch.set_num_threads(2)
for name in penstock.cells():
    for dtype in (torch.float32, torch.float64):
        for T, B, I, H in SHAPES:
            layer = penstock.Recurrent(name, I, H, num_layers=2, bidirectional=True, dtype=dtype)
            x = torch.randn(T, B, I, dtype=dtype, requires_grad=True)
            lengths, reset = torch.randint(0, T + 1, (B,)), torch.rand(T, B) < 0.3
            for masks in ({}, {"lengths": lengths, "reset": reset}):
                output, _ = layer(x, **masks)
                output.sum().backward()
                with torch.no_grad():
                    layer(x, **masks)
            one_way = penstock.Recurrent(name, I, H, dtype=dtype)
            one_way.stream(B).step(torch.randn(B, I, dtype=dtype))
layer = penstock.Recurrent("lstm", 300, 300)  # large enough to be shared, by columns and by rows
for B in (1, 20):
    layer(torch.randn(4, B, 300))[0].sum().backward()
print("clean")
"""


def runtime(name):
    """Return the path of a sanitizer's library, None where gcc has none."""
    if shutil.which("gcc") is None:
        return None
    told = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    path = Path(told.stdout.strip())
    return str(path) if path.is_absolute() and path.exists() else None


def test_generated_code_is_clean(tmp_path):
    libraries = [runtime("libasan.so"), runtime("libubsan.so")]
    if None in libraries:
        pytest.skip("gcc or its sanitizers are not installed")
    environment = os.environ | {
        "CC": f"gcc {FLAGS}",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PENSTOCK_CACHE": str(tmp_path),
    }
    ran = subprocess.run(
        [sys.executable, "-c", SWEEPS],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.stdout.strip() == "clean", ran.stderr[-3000:]
