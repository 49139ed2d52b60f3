"""Kernel settings."""

from stackctl.hardware import kernel


def test_settings_are_read_below_proc_sys(tmp_path):
    path = tmp_path / "proc/sys/vm/swappiness"
    path.parent.mkdir(parents=True)
    path.write_text("10\n")
    assert kernel.setting("vm.swappiness", tmp_path) == "10"
    assert kernel.setting("vm.overcommit_memory", tmp_path) == ""


def test_the_clock_is_asked_without_being_changed():
    assert kernel.clock_synchronised() in (True, False, None)
