"""A wheel, installed where no checkout is: everything that it renders from must be in it."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from command_line import clean_environment, document, stackctl

ROOT = Path(__file__).parent.parent
MACHINE = ("--ram", "16G", "--cpus", "4", "--storage", "ssd", "--disk", "200G", "--pg", "17", "--app-workers", "4")
EXECUTABLE = ("stack/images/postgres/docker-entrypoint.sh",)
ASSETS = (
    *EXECUTABLE,
    "config/postgres/initdb.d/10-provision.sh",
    "stack/compose/compose.yaml.j2",
    "stack/images/app/Dockerfile",
    "stack/images/postgres/Dockerfile",
    "stack/images/postgres-exporter/Dockerfile",
    "stack/app/app/main.py",
    "stack/app/app/migrations/script.py.mako",
    "stack/app/requirements.txt",
    "config/postgres/postgresql.conf.j2",
    "config/postgres/catalog-15.tsv",
    "config/postgres/catalog-18.tsv",
    "config/prometheus/rules/availability.yml",
    "config/supervisor/supervisord.conf.j2",
    "config/stackctl.example.yaml",
)


def _run(*words, cwd):
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built with the back end of this environment, so that nothing is fetched."""
    out = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (path,) = out.glob("stackctl-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """`stackctl` of a new environment that has the wheel, and this environment's libraries but not its checkout."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    _run(*pip, "--disable-pip-version-check", wheel, cwd=folder)
    paths = sysconfig.get_paths()
    library = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # A path in a .pth file is searched without its own .pth files, so the editable install stays out.
    (library / "libraries.pth").write_text("\n".join(dict.fromkeys([paths["purelib"], paths["platlib"]])) + "\n")
    return folder / "bin" / "stackctl"


def test_the_wheel_has_every_asset_and_no_litter(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tracked = {
        path.relative_to(ROOT).as_posix()
        for top in ("stack", "config", "dashboards")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name.removeprefix("stackctl/_assets/") for name in names if name.startswith("stackctl/_assets/")}
    assert packed == tracked
    assert set(ASSETS) <= packed
    assert "stackctl/py.typed" in names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(("tests", "app/"))]


def test_programs_stay_executable(installed):
    library = next((installed.parent.parent / "lib").glob("python*/site-packages"))
    here = {
        path.relative_to(ROOT).as_posix()
        for top in ("stack", "config")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.stat().st_mode & 0o111
    }
    assert set(EXECUTABLE) <= here
    for name in here:
        assert (library / "stackctl/_assets" / name).stat().st_mode & 0o111, name


def test_it_runs_from_the_wheel_and_not_from_the_checkout(installed, tmp_path):
    code = "import stackctl, stackctl.assets; print(stackctl.__file__); print(stackctl.assets.root())"
    package, assets = _run(installed.with_name("python"), "-c", code, cwd=tmp_path).split()
    assert Path(package).is_relative_to(installed.parent.parent)
    assert Path(assets).name == "_assets"


def test_it_sizes_in_any_folder(installed, tmp_path):
    answer = document(_run(installed, "size", "--json", *MACHINE, cwd=tmp_path))
    assert answer["data"]["connections"]["app_total"] == 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["compose", "conf"])
def test_it_renders_what_the_checkout_renders(installed, tmp_path, target):
    for name in ("wheel", "checkout"):
        (tmp_path / name / "shop").mkdir(parents=True)
    words = ("render", "--json", *MACHINE, "--target", target, "--out", "out", "--images", "debian")
    _run(installed, *words, cwd=tmp_path / "wheel/shop")
    done = stackctl(*words, cwd=tmp_path / "checkout/shop")
    assert done.returncode == 0, done.stdout

    def tree(name):
        out = tmp_path / name / "shop/out"
        # The observer's container has the repository at its path on the host, which is in the folder.
        here = str(tmp_path / name).encode()
        found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        text = {path: body.replace(here, b"/here") for path, body in found.items()}
        # The record holds the digests of the others.
        assert set(json.loads(text.pop(".rendered.json"))) == set(text)
        return text, {path: (out / path).stat().st_mode for path in text}

    (wheel_text, wheel_modes), (checkout_text, checkout_modes) = tree("wheel"), tree("checkout")
    # The default name has six digits of the folder's path.
    name = lambda text: text.get("compose.yaml", b"").split(b'name: "')[-1][:11]  # noqa: E731
    assert {path: body.replace(name(wheel_text), b"shop") for path, body in wheel_text.items()} == {
        path: body.replace(name(checkout_text), b"shop") for path, body in checkout_text.items()
    }
    assert wheel_modes == checkout_modes


def test_it_writes_a_project_file(installed, tmp_path):
    _run(installed, "init", "--ram", "2G", cwd=tmp_path)
    assert "ram: 2G" in (tmp_path / "stackctl.yaml").read_text()
