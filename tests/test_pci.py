# SPDX-License-Identifier: MIT
"""Devices of the machine as programs see them: PCI, VFIO.

What Debian's lspci prints is compared with what it prints on Debian's Linux in the same machine. Left out there is
what Linux does by the firmware's byte code, which is not interpreted here: the numbers of slots, and the routing of
lines to the old interrupt controller, which it switches off (in 1f.0).
"""
import subprocess

import pytest
from conftest import TOP, run_vm, variant

# Root ports, one of them empty; devices behind a port and behind a bridge; a display.
MACHINE = [
    "pcie-root-port,id=rp0,chassis=1,slot=1,addr=2", "pcie-root-port,id=rp1,chassis=2,slot=2,addr=3", "edu,addr=5",
    "virtio-rng-pci,bus=rp0", "pci-bridge,id=br0,chassis_nr=3,addr=6", "e1000,bus=br0,addr=1", "nec-usb-xhci,addr=7",
    "VGA,addr=9",
]

LSPCI = """
lspci -nn; lspci -tv; lspci -vv -nn
for s in 00.0 02.0 03.0 05.0 06.0 07.0 09.0 1f.2 1f.3 1: 3:; do lspci -xxx -s $s; done
cd /sys/bus/pci/devices
for d in *; do
	for f in resource class vendor device subsystem_vendor subsystem_device modalias revision irq reset_method; do
		[ ! -e $d/$f ] || { echo $d/$f; cat $d/$f; }
	done
done
ls -l */config */resource? | awk '{ print $1, $5, $NF }'
ls -l . /sys/class/pci_bus | awk '{ print $1, $9, $10, $11 }'
cat /proc/bus/pci/devices
"""


def machine(*devices):
    return [option for device in devices for option in ("--device", device)]


def listing(text):
    lines = text.splitlines()
    return [line for line in lines if "Physical Slot" not in line and "libkmod" not in line and "total" not in line]


def test_lspci_prints_what_it_prints_on_linux():
    options = ["--with", "pciutils", *machine(*MACHINE)]
    ours = run_vm(LSPCI, "--append", "nopciehp", *options)
    assert ours.status == 0, ours
    # The same machine: ours has ports that tell of their slots themselves.
    native = ["--qemu", "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    linux = run_vm(LSPCI, "--kernel", "linux", "--append", "pcie_ports=compat acpiphp.disable=1", *native, *options)
    assert linux.status == 0, linux
    assert len(listing(linux.out)) > 500, linux
    assert listing(ours.out) == listing(linux.out)


REMOVE = """
fail() { echo "failed: $*"; exit 1; }
cd /sys/bus/pci/devices
before=$(lspci -xxx)
echo 1 >0000:00:06.0/remove # the bridge, and what is behind it
[ ! -e 0000:03:01.0 ] && [ ! -e /sys/class/pci_bus/0000:03 ] && [ ! -e /proc/bus/pci/03 ] || fail remove
echo 1 >/sys/bus/pci/rescan
[ "$before" = "$(lspci -xxx)" ] || fail rescan
echo 1 >0000:03:01.0/remove
echo 1 >/sys/class/pci_bus/0000:03/rescan || fail "rescan of a bus"
for i in $(seq 10); do
	echo 1 >0000:01:00.0/reset && echo 1 >0000:01:00.0/remove && echo 1 >0000:00:02.0/rescan || fail again
done
[ "$before" = "$(lspci -xxx)" ] || fail "the same after a reset"
exec 3<0000:01:00.0/config
echo 1 >0000:01:00.0/remove
cat <&3 2>/dev/null && fail "a file of what is gone is read"
echo 1 >/sys/bus/pci/rescan
echo 0 >0000:01:00.0/remove
[ -e 0000:01:00.0 ] || fail "0 removes"
echo 0000:09:00.0 2>/dev/null >/sys/bus/pci/drivers_probe && fail "a driver for nothing"
echo 0000:01:00.0 >/sys/bus/pci/drivers_probe || fail probe
[ ! -e 0000:01:00.0/driver ] || fail "a driver that nobody asked for"
[ "$before" = "$(lspci -xxx)" ] || fail "the same at last"
"""


def test_devices_are_taken_away_and_found_again():
    done = run_vm(REMOVE, "--with", "pciutils", *machine(*MACHINE))
    assert done.status == 0, done


def test_machine_without_memory_mapped_configuration():
    with_ecam = run_vm("lspci -nn; lspci -xxx -s 1f.2", "--with", "pciutils")
    ports = run_vm("lspci -nn; lspci -xxx -s 1f.2", "--with", "pciutils", "--append", "noecam")
    old = run_vm("lspci -nn | wc -l; lspci -v -s 1.0", "--with", "pciutils", "--machine", "pc")
    assert with_ecam.status == ports.status == old.status == 0, (with_ecam, ports, old)
    assert with_ecam.out == ports.out, (with_ecam, ports)
    assert "82371SB" in old.out, old


# --- VFIO ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The programs of tests/vfio, static: the same bytes on both kernels."""
    folder = tmp_path_factory.mktemp("vfio")
    for source in sorted((TOP / "tests/vfio").glob("*.c")):
        command = ["gcc", "-std=gnu17", "-O1", "-static", "-Wall", "-Wextra", "-Werror", "-o", folder / source.stem, source]
        subprocess.run(command, check=True)
    return folder


EDU = "/vfio/edu 0000:00:05.0 || exit 1; dmesg | grep -i 'iommu\\|DMAR'"
TESTS = ["registers", "configuration", "line", "message", "doorbell", "groups", "mappings", "transfers", "outside", "large",
         "killed"]


def passed(out):
    return [line.removeprefix("ok ") for line in out.splitlines() if line.startswith("ok ")]


def test_device_is_driven_behind_an_iommu(programs):
    done = run_vm(EDU, "--add", f"{programs}:/vfio", *machine("intel-iommu", "edu,addr=5"))
    assert done.status == 0, done
    assert passed(done.out) == TESTS, done
    # What was not mapped, and what might only be read.
    assert "00:05.0 reads 0x7000000: that may not be read" in done.out, done
    assert "00:05.0 writes 0x101000: that may not be written" in done.out, done


def test_the_same_program_on_linux(programs):
    done = run_vm(EDU, "--kernel", "linux", "--module", "vfio_pci", "--append", "intel_iommu=on",
                  "--machine", "q35,kernel-irqchip=split", "--add", f"{programs}:/vfio",
                  *machine("intel-iommu,intremap=on", "edu,addr=5"))
    assert done.status == 0, done
    assert passed(done.out) == TESTS, done


def test_device_is_driven_without_an_iommu(programs):
    unsafe = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
    closed = run_vm("/vfio/edu 0000:00:05.0", "--add", f"{programs}:/vfio", *machine("edu,addr=5"))
    assert closed.status == 1 and "cannot be had" in closed.out, closed
    done = run_vm(f"echo Y >{unsafe}; /vfio/edu 0000:00:05.0", "--add", f"{programs}:/vfio", *machine("edu,addr=5"))
    assert done.status == 0, done
    assert passed(done.out) == [test for test in TESTS if test not in ("mappings", "transfers", "outside", "large")], done


SAME_GROUPS = """
cd /sys/bus/pci/devices
show() { for d in *; do echo $(readlink $d/iommu_group) $d; done | grep 1f; ls $(realpath 0000:00:1f.2/iommu_group)/devices; }
show >/tmp/before
# In this order: what is found first gets the memory of what went last.
echo 1 >0000:00:05.0/remove && echo 1 >0000:00:1f.0/remove && echo 1 >/sys/bus/pci/rescan
show >/tmp/after
diff /tmp/before /tmp/after && ls -d 0000:00:05.0 && wc -l </tmp/after
"""


def test_groups_are_the_same_when_their_first_device_was_away():
    done = run_vm(SAME_GROUPS, *machine("intel-iommu", "edu,addr=5"))
    assert done.status == 0 and done.out == "0000:00:05.0\n6\n", done


@pytest.mark.parametrize("case,arguments,devices", [
    ("removed", "0000:01:01.0 0000:01:02.0",
     ["intel-iommu", "pci-bridge,id=br0,chassis_nr=3,addr=6", "edu,bus=br0,addr=1", "edu,bus=br0,addr=2"]),
    ("greedy", "0000:00:05.0 0000:00:06.0", ["intel-iommu", "nvme,addr=5,serial=1,msix_qsize=2048", "edu,addr=6"]),
    ("tables", "0000:00:05.0", ["intel-iommu", "edu,addr=5"]),
    ("asked", "0000:00:05.0", ["intel-iommu", "edu,addr=5"]),
])
def test_one_device_is_not_another(programs, case, arguments, devices):
    done = run_vm(f"/vfio/neighbour {case} {arguments}; dmesg | grep iommu:", "--add", f"{programs}:/vfio",
                  *machine(*devices))
    assert passed(done.out) == [case], done


@pytest.mark.parametrize("arguments,heard", [("", "not heard"), ("nointremap", "heard")])
def test_device_does_not_send_the_message_of_another(programs, arguments, heard):
    """Where interrupts are not remapped it does, so the test sees it; the IOMMU is then told by registers, not by its queue."""
    done = run_vm("/vfio/forge 0000:00:05.0 0000:00:06.0; grep -c IR- /proc/interrupts", "--append", f"noqueue {arguments}" if arguments else "quiet",
                  "--add", f"{programs}:/vfio", *machine("intel-iommu,intremap=on", "edu,addr=5", "edu,addr=6"))
    lines = done.out.splitlines()
    assert lines[0] == heard and (lines[1] == "0") == bool(arguments), done


def test_interrupts_are_as_on_linux_in_proc():
    """The rows of lines, and the files of an interrupt."""
    shown = "grep ttyS0 /proc/interrupts | sed 's/.*  *\\([^ ]*IO-APIC\\)/\\1/'; ls /proc/irq/4 | grep -v tty; cd /proc/irq/4; cat smp_affinity smp_affinity_list affinity_hint ../default_smp_affinity"
    ours, linux = run_vm(shown), run_vm(shown, "--kernel", "linux")
    assert ours.status == 0 and ours.out == linux.out and len(ours.out.splitlines()) > 8, (ours, linux)


def test_keyboard_controller_is_a_device_of_ports_and_lines(programs):
    done = run_vm("/vfio/i8042", "--add", f"{programs}:/vfio")
    assert done.status == 0 and passed(done.out) == ["i8042"], done


def test_rattled_doors(programs):
    """Two threads make calls that are wrong, with the kernel that looks after every access to memory."""
    devices = machine("intel-iommu", "edu,addr=5", "nvme,addr=6,serial=1")
    calls = "for d in 5 6; do for s in 1 2 3; do /vfio/fuzz 0000:00:0$d.0 $s 1500 || exit 1; done; done"
    done = run_vm(calls, "--add", f"{programs}:/vfio", *devices, build=variant("kasan"))
    assert done.status == 0 and done.out.count("done") == 6, done
    assert "WARNING" not in done.console and "PANIC" not in done.console, done
