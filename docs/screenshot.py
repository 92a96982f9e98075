"""Take the picture of the page in docs/page.png: ``python docs/screenshot.py``, with Chromium installed.

Starts a server of its own, has one song sung and judged, and photographs the page. ``--all FOLDER`` also takes it wide
and narrow, light and dark.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PROMPT = "Slow lullaby"
PATIENCE = 300.0


def main(
    out: Annotated[Path, typer.Option(help="Where to write the picture.")] = ROOT / "docs" / "page.png",
    url: Annotated[str | None, typer.Option(help="A server that runs already.")] = None,
    model: Annotated[str | None, typer.Option(help="Song model of the server that is started.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the song.")] = 5,
    all: Annotated[Path | None, typer.Option(help="Folder for wide and narrow, light and dark.")] = None,
) -> None:
    """Have a song sung and judged, and photograph the page."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as songs:
        server = None
        if url is None:
            url = "http://127.0.0.1:7878"
            command = [sys.executable, str(ROOT / "server.py"), "--port", "7878", "--outputs", songs]
            server = subprocess.Popen([*command, *(["--model", model] if model else [])], cwd=ROOT)
        try:
            await_judge(url)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                song = sing(browser, url, seed)
                photograph(browser, song, out, 1440, "light")
                for name, width, scheme in (
                    ("wide-light", 1440, "light"), ("wide-dark", 1440, "dark"),
                    ("narrow-light", 375, "light"), ("narrow-dark", 375, "dark"),
                ) if all else ():  # fmt: skip
                    assert all is not None
                    photograph(browser, song, all / f"{name}.png", width, scheme)
                browser.close()
        finally:
            if server is not None:
                server.terminate()
                server.wait(30)
    print(f"{out}: {out.stat().st_size // 1000} kB")


def await_judge(url: str) -> None:
    """Wait until the server answers and its judge is ready; exits with the reason where it will not be."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            judge = httpx.get(f"{url}/healthz", timeout=5).json()["judge"]
        except httpx.TransportError:
            judge = {"state": "loading"}
        if judge["state"] == "ready":
            return
        if judge["state"] != "loading":
            sys.exit(f"no judge: {judge['reason']}")
        time.sleep(0.5)
    sys.exit(f"{url} was not ready within {PATIENCE:.0f} s")


def sing(browser: Browser, url: str, seed: int) -> str:
    """Sing the prompt through the page; returns the address of the song."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    page.get_by_role("button", name=PROMPT).click()
    page.get_by_label("Seed", exact=True).fill(str(seed))
    page.locator("#planned strong").wait_for()
    page.get_by_role("button", name="Sing", exact=True).click()
    page.locator(".verdict .wer").wait_for(timeout=PATIENCE * 1000)
    page.close()
    found = httpx.get(f"{url}/v1/songs?limit=1").json()["songs"][0]["id"]
    return f"{url}/?song={found}"


def photograph(browser: Browser, address: str, out: Path, width: int, scheme: str) -> None:
    """The whole page at one width, in one colour scheme."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    page.locator(".verdict .wer").wait_for(timeout=60_000)
    page.locator("#planned strong").wait_for()
    page.evaluate("document.fonts.ready")
    out.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=out, full_page=True, animations="disabled")
    page.close()


if __name__ == "__main__":
    typer.run(main)
