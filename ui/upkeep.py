"""Commands that keep things in order: index, doctor, models, corpus, and starting the web app."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from rag.catalog import LOCAL_MODEL, MODELS, ModelFiles
from rag.errors import ResourceError, SettingsError
from rag.settings import PROJECT
from ui.session import progress_bar, settings
from ui.text import safe

models = typer.Typer(no_args_is_help=True, help="Lists, fetches and verifies model weights.")
corpus = typer.Typer(no_args_is_help=True, help="Looks after the guides.")
Fetched = Annotated[str | None, typer.Argument(help="A model of `tutor models list`; the embedder in use if left out.")]
Verified = Annotated[str | None, typer.Argument(help="A model of `tutor models list`; all that are there if left out.")]


def add_upkeep(app: typer.Typer) -> None:
    """Adds the commands of this module to the `tutor` command."""
    app.command()(index)
    app.command()(doctor)
    app.command(name="ui")(web)
    app.add_typer(models, name="models")
    app.add_typer(corpus, name="corpus")


def index(
    rebuild: Annotated[bool, typer.Option(help="Embed everything again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Builds the index of the guides; only what changed is embedded."""
    from ingest.build import build_index
    from ingest.state import state_of_index

    chosen = settings()
    folder, reason = state_of_index(chosen)
    if folder is not None and not rebuild:
        typer.echo(json.dumps({"version": folder.name, "changed": False}) if as_json else "The index is up to date.")
        return
    with progress_bar() as report:
        done = build_index(chosen, report, rebuild=rebuild)
    if as_json:
        values = {name: getattr(done, name) for name in done.__slots__}
        typer.echo(json.dumps({**values, "changed": True, "reason": reason}))
        return
    typer.echo(
        f"Index {done.version}: {done.entries} entries, {done.chunks} chunks, {done.sentences} sentences; "
        f"{done.embedded} texts embedded, {done.kept} kept; {done.megabytes:.0f} MB, {done.seconds:.1f} s."
    )


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Shows every part, its state, and the command that mends it."""
    from ui.doctor import examine

    parts = examine(settings())
    if as_json:
        typer.echo(json.dumps([part.to_dict() for part in parts], indent=2))
    else:
        for part in parts:
            typer.echo(safe(f"{part.state:<8} {part.name:<18} {part.detail}"))
            if part.cure:
                typer.echo(f"{'':<27} {part.cure}")
    if any(part.state == "broken" for part in parts):
        raise typer.Exit(1)


@models.command("list")
def list_models() -> None:
    """Shows the models this program can fetch and whether they are there."""
    from rag.weights import present

    chosen = settings()
    for name, weights in MODELS.items():
        state = "present" if present(weights, chosen.models_folder / weights.name) else "missing"
        mark = "*" if name == chosen.embedding_model else " "
        typer.echo(
            f"{mark} {name:<20} {state:<8} {weights.size / 1e6:>6.0f} MB  {weights.licence}  {weights.repository}"
        )
    typer.echo("* in use (TUTOR_EMBEDDING_MODEL); local is the language model of --model local")


@models.command("fetch")
def fetch_model(name: Fetched = None) -> None:
    """Fetches and verifies a model's files; nothing is downloaded that is already there."""
    from ingest.prepare import prepare_embedder, prepare_local_model

    chosen = settings()
    wanted = _model(name or chosen.embedding_model)
    with progress_bar() as report:
        if wanted is LOCAL_MODEL:
            source = prepare_local_model(chosen, report)
        else:
            source = prepare_embedder(chosen.model_copy(update={"embedding_model": wanted.name}), report)
    typer.echo(f"{wanted.name} is ready in {chosen.models_folder} (from the {source}).")


@models.command("verify")
def verify_model(name: Verified = None) -> None:
    """Hashes the files of the models that are there."""
    from rag.weights import verify

    chosen = settings()
    broken = []
    for weights in [_model(name)] if name else MODELS.values():
        folder = chosen.models_folder / weights.name
        if not folder.exists() and not name:
            continue
        faults = verify(weights, folder)
        broken += [weights.name] if faults else []
        typer.echo("\n".join(faults) if faults else f"{weights.name}: all files have the right sha256.")
    if broken:
        typer.echo("\n".join(f"Mend with: tutor models fetch {item}" for item in broken), err=True)
        raise typer.Exit(1)


@corpus.command("check")
def check(
    folder: Annotated[Path | None, typer.Argument(help="The corpus folder; the one in use if left out.")] = None,
) -> None:
    """Prints every fault of the guide entries with its file and line."""
    from ingest.guides import check_corpus

    entries, faults = check_corpus(folder or settings().corpus)
    for fault in faults:
        typer.echo(safe(str(fault)))
    typer.echo(f"{len(entries)} entries, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


def web() -> None:
    """Starts the web app on this machine and prints its address."""
    from ingest.build import ensure_index

    chosen = settings()
    port = free_port(chosen.host, chosen.port)
    with progress_bar() as report:
        ensure_index(chosen, report)
    typer.echo(f"The tutor is at http://{chosen.host}:{port} (Ctrl+C stops it).")
    call = [sys.executable, "-m", "streamlit", "run", str(PROJECT / "ui" / "app.py")]
    call += ["--server.address", chosen.host, "--server.port", str(port), "--server.headless", "true"]
    call += ["--browser.gatherUsageStats", "false", "--server.enableXsrfProtection", "true"]
    call += ["--client.toolbarMode", "minimal", "--server.fileWatcherType", "none", "--runner.magicEnabled", "false"]
    call += ["--server.maxUploadSize", str(chosen.document_megabytes)]
    if os.name == "posix":
        # The server takes this process over, so that stopping the one stops the other.
        sys.stdout.flush()
        os.execv(sys.executable, call)  # noqa: S606
    raise typer.Exit(subprocess.call(call))  # noqa: S603


def free_port(host: str, port: int) -> int:
    """The port to bind, `port` itself unless that is 0.

    Raises:
        ResourceError: another program has the port.
    """
    with socket.socket() as probe:
        # Without this a port that was just released counts as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise ResourceError(
                f"The port {port} of {host} cannot be used: {error}.",
                "Set TUTOR_PORT to another port, or to 0 for any; TUTOR_HOST has to be an address of this machine.",
            ) from None
        return int(probe.getsockname()[1])


def _model(name: str) -> ModelFiles:
    """The model of that name, the one people use or its own."""
    found = MODELS.get(name) or next((weights for weights in MODELS.values() if weights.name == name), None)
    if found is None:
        raise SettingsError(f"There is no model {name[:80]!r} to fetch.", f"Choose one of: {', '.join(MODELS)}.")
    return found
