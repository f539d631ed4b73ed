"""What the documents say of the repository is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
import forecasting
import policies
import records
import scheduler
import simulations

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))


@pytest.mark.parametrize(
    "package",
    [scheduler, forecasting, policies, simulations, benchmarks, records],
    ids=lambda package: package.__name__,
)
def test_the_packages_that_are_imported_are_ours(package: object) -> None:
    """Other distributions claim these names; headroom lives in an environment of its own."""
    assert Path(str(package.__file__)).is_relative_to(ROOT)


def test_every_module_and_every_word_of_the_code_is_listed() -> None:
    checked = subprocess.run([sys.executable, ROOT / "scripts" / "list-modules", "--check"], check=False)
    assert checked.returncode == 0, "run scripts/list-modules"


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http:", "https:"))]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert not missing


def test_files_named_in_commands_of_the_readme_exist() -> None:
    named = set(re.findall(r"\bconfigs/[\w./-]+\.yaml", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
