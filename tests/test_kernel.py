# SPDX-License-Identifier: MIT
"""The tests inside the kernel (kernel/test), on real processors: the argument test=all runs them."""
import re

import pytest


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_kernel(vm, cpus):
    machine = vm("true", "--cpus", str(cpus), "--append", "test=all", timeout=240)
    failed = re.findall(r"ktest: FAIL (.*)", machine.console)
    done = re.search(r"ktest: done (\d+) passed (\d+) failed", machine.console)
    assert not failed, "\n".join(failed)
    assert done, f"the tests did not come to their end\n{machine}"
    assert int(done[1]) > 0 and int(done[2]) == 0, done[0]
