"""What killed runs left in containers is told from what goes on."""

import os
import subprocess
import sys

import pytest

from stackctl.engine.docker import orphans
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed

GONE = "4194305.1"  # no process has a number above the kernel's limit


class Docker:
    """Containers with the name of their run, and in the database's container programs with theirs, by their numbers."""

    def __init__(self, containers=(), programs=(), stays=False, begins=None):
        self.containers, self.programs, self.stays = dict(containers), dict(programs), stays
        self.begins = begins or {}
        self.asked = []

    def run(self, argv, **_how):
        self.asked.append(argv)
        said = ""
        if argv[1] == "ps" and "label=com.docker.compose.service=postgres" in argv:
            said = "db\n"
        elif argv[1] == "ps":
            said = "".join(f"{name} {run}\n" for name, run in self.containers.items())
        elif argv[1] == "rm":
            self.containers = {name: run for name, run in self.containers.items() if name not in argv}
        elif argv[-2] == "-c":
            said = "".join(f"/proc/{number}/environ:STACKCTL_RUN={run}\n" for number, run in self.programs.items())
        elif not self.stays:
            self.programs = {number: run for number, run in self.programs.items() if number not in argv} | self.begins
            self.begins = {}
        return Completed(tuple(argv), 0, said, "")


def test_what_is_of_a_run_that_goes_on_stays():
    mine = orphans.this_run()
    docker = Docker({"list": mine, "verify": GONE}, {"41": mine, "42": GONE})
    assert orphans.end_orphans("shop", docker)
    assert (docker.containers, docker.programs) == ({"list": mine}, {"41": mine})
    assert "label=stackctl.project=shop" in docker.asked[0]
    assert not orphans.end_orphans("shop", docker)


def test_ours_is_ended_where_we_give_up():
    mine = orphans.this_run()
    docker = Docker({}, {"41": mine, "42": "1.1"})
    assert orphans.end_programs("shop", docker, mine=True)
    assert docker.programs == {"42": "1.1"}


def test_what_begins_while_the_first_is_ended_is_ended_too():
    docker = Docker({}, {"42": GONE}, begins={"43": GONE})
    assert orphans.end_orphans("shop", docker)
    assert docker.programs == {}


def test_what_does_not_end_is_an_error():
    """Work that goes on beside it would be lost."""
    with pytest.raises(EngineFailed, match="goes on without it: process 42"):
        orphans.end_orphans("shop", Docker({}, {"42": GONE}, stays=True))


def test_the_name_of_a_run_ends_with_it_though_its_number_is_used_again():
    name = "from stackctl.engine.docker import orphans; print(orphans.this_run())"
    told = subprocess.run([sys.executable, "-c", name], capture_output=True, text=True, check=True).stdout.strip()
    number = told.partition(".")[0]
    again = f"{os.getpid()}.{told.partition('.')[2]}"
    docker = Docker({"ended": told, "again": again})
    assert number.isdigit()
    assert orphans.end_orphans("shop", docker)
    assert docker.containers == {}


def test_programs_are_found_by_their_environment_and_end_with_what_they_started():
    """By the shell's own words, as they run in the container."""
    work = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    found = {**os.environ, "STACKCTL_RUN": GONE}
    with subprocess.Popen(work, env=found, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            said = subprocess.run(["sh", "-c", orphans._FIND], capture_output=True, text=True, check=True).stdout
            assert f"/proc/{process.pid}/environ:STACKCTL_RUN={GONE}\n" in said
            assert f"/proc/{os.getpid()}/environ" not in said
        finally:
            process.kill()
    with subprocess.Popen(["sleep", "60"]) as process:
        # Nobody but us can hear of its end, as in a container its keeper does.
        ending = subprocess.Popen(["sh", "-c", orphans._END, "sh", str(process.pid)])
        assert process.wait(30) == -15
        assert ending.wait(30) == 0
