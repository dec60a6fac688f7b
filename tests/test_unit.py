# SPDX-License-Identifier: MIT
"""Pure code of the kernel on the host, under ASan and UBSan: one program per tests/unit/*.c."""
import subprocess
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, TOP

PROGRAMS = sorted(p.stem for p in Path(TOP, "tests/unit").glob("*.c"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_unit(name):
    built = subprocess.run(
        ["make", "-s", f"build/unit/{name}"], cwd=TOP, capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stderr[-4000:]
    done = subprocess.run(
        [TOP / "build/unit" / name], env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
