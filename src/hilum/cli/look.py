"""`hilum look`: one image as a model will see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.api.look import Look


def look(
    image: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGE", help="A PNG, JPEG or DICOM file, told by its content.", show_default=False
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.png",
            help="Write the PNG here; without it, only the text is printed.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(metavar="PIXELS", help="Sides of what the model sees.")] = 320,
    fit: Annotated[
        str, typer.Option(metavar="FIT", help="pad or crop keep the aspect, squash changes it.")
    ] = "pad",
    pad_value: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="GREY", help="What pad adds: 0 black, 1 white.")
    ] = 0.0,
    augment: Annotated[
        str, typer.Option(metavar="NAME", help="none, light, strong or chexnet-like.")
    ] = "none",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the augmentation.")] = 0,
    copies: Annotated[
        int,
        typer.Option(metavar="K", help="Write a sheet: the image, then K augmented copies of it."),
    ] = 0,
    frame: Annotated[
        int | None, typer.Option(metavar="N", help="Which frame of a file with several, from 0.")
    ] = None,
    colour: Annotated[
        str, typer.Option(metavar="WAY", help="With a coloured picture: refuse, or luminance.")
    ] = "refuse",
) -> None:
    """Say what an image file holds and what is odd about it, and write the PNG of what a model will see.

    Concerns are simple measured rules (inverted, lateral, size, border, flat); docs/images.md says how often they are
    wrong.
    """
    from hilum.api.look import LookOptions, look_at

    _check(output, augment, copies)
    options = LookOptions(size, fit, pad_value, augment, seed, copies, frame, colour)
    done = look_at(image, output=output, options=options)
    for name, value in _facts(done, fit):
        typer.echo(f"{name:<9}{value}")
    for note in done.picture.notes:
        typer.echo(f"note: {note}")
    if copies and augment == "none":
        typer.echo("note: all copies are alike, since --augment is none; --augment light changes them")
    for concern in done.concerns:
        typer.echo(
            f"concern: {concern.kind}: {concern.message} ({concern.measure:.2f}, limit {concern.threshold:g})"
        )
    if not done.concerns:
        typer.echo("no concerns")
    if done.output is not None:
        shown = f"{copies} copies by {augment!r}, seed {seed}, after the image itself" if copies else "8 bits"
        typer.echo(f"wrote {done.output}: {shown}")


def _check(output: Path | None, augment: str, copies: int) -> None:
    from hilum.core.errors import InputError

    if output is None and (copies or augment != "none"):
        given = "--copies" if copies else "--augment"
        raise InputError(f"{given} decides what is written, and nothing is. Next step: add -o OUT.png.")


def _facts(done: Look, fit: str) -> list[tuple[str, str]]:
    header, picture = done.header, done.picture
    height, width = picture.pixels.shape[1:]
    spacing = picture.spacing_mm
    frames = f", {header.frames:,} frames" if header.frames > 1 else ""
    detail = f", {header.detail}" if header.detail else ""
    return [
        ("file", str(done.source)),
        ("format", f"{header.format}, {header.bits} bits, {_channels(header.channels)}{frames}{detail}"),
        ("size", f"{width} x {height} pixels (across x down)"),
        ("view", str(picture.view)),
        ("spacing", "not said" if spacing is None else f"{spacing[1]:g} x {spacing[0]:g} mm (across x down)"),
        (
            "greys",
            f"{picture.pixels.min():.3f} to {picture.pixels.max():.3f}, mean {picture.pixels.mean():.3f}",
        ),
        ("seen as", f"{done.seen.shape[2]} x {done.seen.shape[1]} pixels by {fit!r}"),
    ]


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
