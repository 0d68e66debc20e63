"""The guide's JavaScript is run as it stands, by the Node.js that Playwright brings along."""

from __future__ import annotations

import subprocess
from pathlib import Path

from playwright._impl._driver import compute_driver_executable

from tests.snippets import FILE, RECORDING, TOKEN, asked_by_curl, listening, snippets_in


def test_its_javascript_asks_what_its_curl_asks(db: None, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(RECORDING)
    with listening() as (address, heard):
        expected = [asked_by_curl(snippet) for snippet in snippets_in("curl", of=address)]
        names = []
        for number, snippet in enumerate(snippets_in("JavaScript", of=address)):
            names.append(f"./{number}.mjs")
            (tmp_path / names[-1]).write_text(snippet)
        (tmp_path / "all.mjs").write_text("\n".join(f'await import("{name}");' for name in names))
        done = subprocess.run(
            [compute_driver_executable()[0], "all.mjs"],
            cwd=tmp_path,
            env={"TOKEN": TOKEN},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert heard == expected
