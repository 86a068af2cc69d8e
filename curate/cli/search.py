"""``curate search``: find videos and write a manifest."""

from __future__ import annotations

from pathlib import Path

import click

from curate.acquire.search import Filters, Hit, merged, to_csv
from curate.acquire.search import search as find
from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say, writing
from curate.cli.options import refuse_secret
from curate.config import load_given, resolve, variable
from curate.errors import CurateError
from curate.files.atomic import write_atomic


@click.command()
@click.argument("queries", nargs=-1, required=True, metavar="QUERY...")
@click.option("-n", "--number", type=click.IntRange(1), default=100, show_default=True, help="Videos for each query.")
@click.option("--require", multiple=True, metavar="WORD", help="Must be in the title; repeatable.")
@click.option("--ignore", multiple=True, metavar="WORD", help="Must not be in the title; repeatable.")
@click.option("--min-duration", type=click.FloatRange(0), metavar="SECONDS", help="Shortest video.")
@click.option("--max-duration", type=click.FloatRange(0), metavar="SECONDS", help="Longest video.")
@click.option("--creative-commons", is_flag=True, help="Only videos under a Creative Commons licence.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file; its [download] table counts."
)
@click.option("--proxy", envvar=variable("download", "proxy"), show_envvar=True, help="URL of a proxy.")
@click.option(
    "--cookies",
    type=click.Path(path_type=Path),
    envvar=variable("download", "cookies"),
    show_envvar=True,
    help="Netscape cookies file; only read, never written.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV manifest to write."
)
@verbosity
def search(
    queries: tuple[str, ...],
    number: int,
    require: tuple[str, ...],
    ignore: tuple[str, ...],
    min_duration: float | None,
    max_duration: float | None,
    creative_commons: bool,
    config_file: Path | None,
    proxy: str | None,
    cookies: Path | None,
    output: Path,
) -> None:
    """Search YouTube for each QUERY and write a manifest that the other commands read.

    Nothing is downloaded. A video found by several queries is listed once. A query that names a known procedure, such
    as "robotic cholecystectomy", gives that procedure to what it finds; what the titles themselves say stands in
    suggested_procedures and suggested_robotic, with the words. Look the list through before you use it.

    Exit codes: 0 all found, 1 nothing could be found, 2 the search broke off and the list is not whole.
    """
    from curate.acquire.ytdlp import Downloader, FetchError
    from curate.manifests.procedures import shipped_taxonomy
    from curate.manifests.titles import shipped_title_words

    if output.suffix.lower() != ".csv":
        raise CurateError(f"{output}: the name must end in .csv")
    refuse_secret("proxy", "download", "proxy", proxy)
    given = {"proxy": proxy, "cookies": cookies}
    layers = [load_given(config_file)] if config_file is not None else []
    options = resolve("options", *layers, {"download": {k: v for k, v in given.items() if v is not None}}).download
    filters = Filters(require, ignore, min_duration, max_duration, creative_commons)
    hits: list[Hit] = []
    broken: str = ""
    downloader = Downloader(options)
    try:
        for query in queries:
            meaning = shipped_taxonomy().meaning(query)
            for hit in find(downloader, query, number, filters, meaning.procedures if meaning.known else ()):
                hits.append(hit)
    except FetchError as error:
        broken = f"the search broke off ({error.reason}): {error.text}"
    finally:
        downloader.close()
    if not hits:
        raise CurateError(broken or f"nothing found for {', '.join(queries)}: loosen the filters")
    found = merged(hits)
    with writing(output):
        write_atomic(output, to_csv(found, shipped_title_words()).encode("utf-8", "backslashreplace"))
    if broken:
        say(f"error: {broken}")
    if not is_quiet():
        click.echo(f"{len(found)} videos in {output}; next: curate download {output} -w WORKSPACE")
    leave(failures=broken)
