"""Opens films and pictures with Pillow, and says what it finds in them.

    python Tests/Oracles/films.py --crop LEFT TOP RIGHT BOTTOM FILE...

Prints a JSON list with an object for each file:

    format      WEBP, GIF or PNG
    size        [width, height]
    pictures    how many there are
    milliseconds  how long each is shown; 0 for a picture alone
    repeats     how often the film is repeated, 0 for ever; null if the file does not say
    changes     pictures that differ from the one before
    darkest     the lowest grey level of the crop, in the last picture
    colours     how many colours the crop has there
    deviation   the crop's largest difference from that of the first file, over pixels and channels

Needs Pillow.
"""

import argparse
import json

from PIL import Image, ImageChops


def opened(path, crop):
    """What Pillow says of a file, and the crop of its last picture."""
    with Image.open(path) as film:
        found = {
            "format": film.format,
            "size": list(film.size),
            "pictures": getattr(film, "n_frames", 1),
            "repeats": film.info.get("loop"),
            "milliseconds": [],
            "changes": 0,
        }
        last = None
        for index in range(found["pictures"]):
            film.seek(index)
            film.load()
            picture = film.convert("RGB")
            found["milliseconds"].append(film.info.get("duration", 0))
            if last is not None and ImageChops.difference(last, picture).getbbox():
                found["changes"] += 1
            last = picture
    cropped = last.crop(crop)
    found["darkest"] = cropped.convert("L").getextrema()[0]
    found["colours"] = len(cropped.getcolors(1 << 24))
    return found, cropped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crop", type=int, nargs=4, required=True)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    results, first = [], None
    for path in arguments.files:
        found, cropped = opened(path, arguments.crop)
        first = first or cropped
        channels = ImageChops.difference(first, cropped).getextrema()
        found["deviation"] = max(highest for _, highest in channels)
        results.append(found)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
