# SPDX-License-Identifier: BSD-2-Clause
"""The frames of a result as a film: MP4 by ffmpeg where that is, else GIF by Pillow. Axes and colours are the same in all frames."""
import os
import shutil
import subprocess

import numpy as np

from .fields import totals
from .plots import plot
from .style import limits_of
from .view import View

MOST_FRAMES = 300


def frames_to_show(count, every):
    """Numbers of the frames: each every-th and the last; by default as many as make a film of sensible length."""
    every = every or -(-count // MOST_FRAMES)
    chosen = list(range(0, count, every))
    return chosen if chosen[-1] == count - 1 else chosen + [count - 1]


def common_limits(result, frames, species):
    """{field: (low, high)} over all frames of what a picture shows, and the planes that it shows. In 1D all amounts and their sums share an axis, in 3D the amounts along lines do."""
    last = View(result, frames[-1], species)
    where = last.where if len(last.dims) == 3 else None
    ends = {}
    for number in frames:
        view = View(result, number, species, where=where)
        shown = {field: view.shown(field) for field in view.fields + view.derived}
        if len(view.dims) == 1:
            curves = {s: shown[s][0] for s in view.species}
            sums = [sum(w * (curves[s] if s in curves else view.read(s)) for s, w in weights.items()) for _, weights in totals(view)]
            shown["amounts"] = list(curves.values()) + sums
        elif len(view.dims) == 3 and not view.mostly_solid:
            shown["amounts"] = [plane for s in view.species for plane in shown[s]]
        for field, parts in shown.items():
            finite = np.concatenate([p[np.isfinite(p)] for p in parts])
            if finite.size:
                ends.setdefault(field, []).append(np.array([finite.min(), finite.max()]))
    return {field: limits_of(pairs) for field, pairs in ends.items()}, where


def pictures(result, frames, species, dpi):
    """Arrays [height][width][3] of one size, with even sides as video wants them."""
    limits, where = common_limits(result, frames, species)
    size = None
    for number in frames:
        figure = plot(result, number, species, ["fields"], limits, where)
        figure.set_dpi(dpi)
        figure.canvas.draw()
        image = np.asarray(figure.canvas.buffer_rgba())[..., :3]
        size = size or (image.shape[0] // 2 * 2, image.shape[1] // 2 * 2)
        yield np.ascontiguousarray(image[: size[0], : size[1]])


def write_video(path, images, fps):
    """By a pipe into ffmpeg."""
    process = None
    for image in images:
        if process is None:
            command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{image.shape[1]}x{image.shape[0]}", "-r", f"{fps:g}", "-i", "-"]
            command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", path]
            process = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            process.stdin.write(image.tobytes())
        except BrokenPipeError:  # it has said why
            break
    process.communicate()
    if process.returncode != 0:
        raise OSError(f"ffmpeg ended with status {process.returncode}")


def write_gif(path, images, fps):
    try:
        from PIL import Image
    except ImportError:
        raise OSError("a film needs ffmpeg (for .mp4) or Pillow (for .gif), and neither is here") from None
    films = [Image.fromarray(image).quantize(128, dither=Image.Dither.NONE) for image in images]
    films[0].save(path, save_all=True, append_images=films[1:], duration=[max(20, round(1000 / fps))] * (len(films) - 1) + [1500], loop=0, optimize=False)


def movie(result, output=None, fps=10.0, every=0, species=None, dpi=110):
    """Writes the film; returns its path. output - .mp4 (needs ffmpeg) or .gif; default: beside the result, what can be made here."""
    if len(result.times) < 2:
        more = "output.times or output.every of the case make more" if not result.sweep else "sweep.frames of the case says of which points there are some"
        raise ValueError(f"there is {'one frame only' if len(result.times) else 'no frame'}; {more}")
    if not fps > 0 or every < 0:
        raise ValueError(f"no film has {fps:g} frames per second" if every >= 0 else f"--every {every}: frames go forward")
    has_ffmpeg = shutil.which("ffmpeg") is not None
    output = output or os.path.splitext(result.path)[0] + (".mp4" if has_ffmpeg else ".gif")
    if not output.endswith(".gif") and not has_ffmpeg:
        raise OSError(f"ffmpeg is not here, which '{output}' needs; a name that ends in .gif does without")
    images = pictures(result, frames_to_show(len(result.times), every), species, dpi)
    (write_gif if output.endswith(".gif") else write_video)(output, images, fps)
    return output
