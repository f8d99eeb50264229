"""Writes Tests/PicturesTests/Resources: small pictures, and the pixels that Pillow decodes them to.

Needs Pillow, numpy and opencv-python, which writes the chroma subsamplings that Pillow cannot.
Run from the repository root: python Tests/Oracles/pictures.py

For each picture <name>.jpeg or <name>.png there is <name>.rgb, the bytes of `Image.open(...).convert("RGB")`, and a line in
pictures.json: its format, height, width, colours and bits. `encoded.json` names pictures that Pillow encoded from
source.rgb, so that what our encoder makes of the same pixels can be compared. The headers of those in `refused.json` are of
kinds that are not read, with a word that the error must have.
"""

import io
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

FOLDER = Path("Tests/PicturesTests/Resources")
pictures = {}
refused = {}
encoded = {}


def scene(height, width):
    """Smooth colours, hard edges and some noise: what shows how chroma is upsampled."""
    generator = np.random.default_rng([height, width])
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / 3 + y / 5)], axis=2)
    picture[height // 4 : height // 2, width // 3 : width // 2] = [250, 20, 30]
    picture[height // 2 :, : width // 4] = [10, 40, 240]
    picture += generator.normal(0, 6, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def keep(name, ending, data, colour, bits):
    """Writes a picture, the pixels of Pillow and what its header says."""
    image = Image.open(io.BytesIO(data))
    pixels = np.asarray(image.convert("RGB"))
    (FOLDER / f"{name}.{ending}").write_bytes(data)
    (FOLDER / f"{name}.rgb").write_bytes(pixels.tobytes())
    pictures[name] = dict(format=ending, height=image.height, width=image.width, colour=colour, bits=bits)


def refuse(name, ending, data, mentions):
    (FOLDER / f"{name}.{ending}").write_bytes(data)
    refused[name] = dict(format=ending, mentions=mentions)


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def opencv(pixels, *options):
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, list(options))[1].tobytes()


def without_tables(data):
    """A JPEG without its Huffman tables, as Motion JPEG cameras send frames: the decoder takes the standard ones."""
    result, offset = data[:2], 2
    while True:
        marker, length = data[offset + 1], int.from_bytes(data[offset + 2 : offset + 4], "big")
        if marker == 0xDA:
            return result + data[offset:]
        if marker != 0xC4:
            result += data[offset : offset + 2 + length]
        offset += 2 + length


def jpegs():
    image = Image.fromarray(scene(29, 37))
    for name, subsampling in [("444", 0), ("422", 1), ("420", 2)]:
        keep(f"jpeg-{name}", "jpeg", saved(image, "JPEG", quality=90, subsampling=subsampling), "yCbCr", 8)
    for name, factors in [("411", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411), ("440", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440)]:
        data = opencv(scene(29, 37), cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factors)
        keep(f"jpeg-{name}", "jpeg", data, "yCbCr", 8)
    keep("jpeg-progressive", "jpeg", saved(image, "JPEG", quality=85, progressive=True), "yCbCr", 8)
    keep("jpeg-progressive-444", "jpeg", saved(image, "JPEG", quality=85, progressive=True, subsampling=0), "yCbCr", 8)
    keep("jpeg-grey", "jpeg", saved(image.convert("L"), "JPEG", quality=85), "grey", 8)
    keep("jpeg-progressive-grey", "jpeg", saved(image.convert("L"), "JPEG", progressive=True), "grey", 8)
    keep("jpeg-rgb", "jpeg", saved(image, "JPEG", quality=85, keep_rgb=True, subsampling=0), "rgb", 8)
    keep("jpeg-optimized", "jpeg", saved(image, "JPEG", quality=85, optimize=True), "yCbCr", 8)
    keep("jpeg-without-tables", "jpeg", without_tables(saved(image, "JPEG", quality=85)), "yCbCr", 8)
    keep("jpeg-restarts", "jpeg", saved(Image.fromarray(scene(48, 64)), "JPEG", restart_marker_blocks=3), "yCbCr", 8)
    for height, width in [(1, 1), (1, 17), (17, 1), (16, 16), (8, 33)]:
        data = saved(Image.fromarray(scene(height, width)), "JPEG", quality=90, subsampling=2)
        keep(f"jpeg-{height}x{width}", "jpeg", data, "yCbCr", 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    keep("jpeg-turned", "jpeg", saved(image, "JPEG", exif=exif), "yCbCr", 8)
    keep("jpeg-coarse", "jpeg", saved(image, "JPEG", quality=10, comment=b"a comment"), "yCbCr", 8)

    refuse("jpeg-cmyk", "jpeg", saved(image.convert("CMYK"), "JPEG", quality=50), "CMYK or YCCK")
    data = saved(image.convert("L"), "JPEG", quality=50)
    frame = data.index(b"\xff\xc0\x00\x0b\x08")
    for name, marker, mentions in [
        ("lossless", 0xC3, "lossless coding"),
        ("hierarchical", 0xC5, "hierarchical coding"),
        ("arithmetic", 0xC9, "arithmetic coding"),
    ]:
        refuse(f"jpeg-{name}", "jpeg", data[: frame + 1] + bytes([marker]) + data[frame + 2 :], mentions)
    refuse("jpeg-12-bits", "jpeg", data[: frame + 4] + b"\x0c" + data[frame + 5 :], "12 bits")


def png(height, width, bits, kind, rows, *, is_interlaced=False, before=b"", level=9):
    """A PNG of rows that are packed and filtered."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, is_interlaced)
    pixels = chunk(b"IDAT", zlib.compress(rows, level))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + pixels + chunk(b"IEND", b"")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, bits):
    """Rows of samples [height, width, channels], most significant bit first, each after its filter byte 0."""
    result = b""
    for row in samples:
        if bits == 16:
            data = row.astype(">u2").tobytes()
        else:
            digits = (row.reshape(-1, 1) >> np.arange(bits - 1, -1, -1)) & 1
            data = np.packbits(digits.reshape(-1).astype(np.uint8)).tobytes()
        result += b"\0" + data
    return result


def interlaced(samples, bits):
    """The seven passes of Adam7, those without pixels left out."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in passes]
    return b"".join(packed(part, bits) for part in parts if part.size)


def pngs():
    image = Image.fromarray(scene(13, 19))
    alpha = Image.fromarray(np.random.default_rng(3).integers(0, 256, (13, 19), dtype=np.uint8))
    keep("png-rgb", "png", saved(image, "PNG"), "rgb", 8)
    rgba = image.copy()
    rgba.putalpha(alpha)
    keep("png-rgba", "png", saved(rgba, "PNG"), "rgbWithAlpha", 8)
    keep("png-grey", "png", saved(image.convert("L"), "PNG"), "grey", 8)
    keep("png-grey-alpha", "png", saved(Image.merge("LA", [image.convert("L"), alpha]), "PNG"), "greyWithAlpha", 8)
    for bits in [1, 2, 4, 8]:
        palette = image.quantize(min(1 << bits, 200))
        keep(f"png-palette-{bits}", "png", saved(palette, "PNG", bits=bits), "palette", bits)
    colours = chunk(b"PLTE", bytes([9, 8, 7, 250, 200, 100]))
    indexes = np.array([[[0], [1], [2], [255]]])
    keep("png-palette-short", "png", png(1, 4, 8, 3, packed(indexes, 8), before=colours), "palette", 8)
    keep("png-palette-transparent", "png", saved(image.quantize(16), "PNG", transparency=3), "palette", 4)
    keep("png-described", "png", saved(image, "PNG", dpi=(72, 72), icc_profile=b"p" * 300), "rgb", 8)

    generator = np.random.default_rng(4)
    kinds = [
        ("grey", "grey", 0, 1, [1, 2, 4, 8]),
        ("rgb", "rgb", 2, 3, [8, 16]),
        ("grey-alpha", "greyWithAlpha", 4, 2, [8, 16]),
        ("rgba", "rgbWithAlpha", 6, 4, [8, 16]),
    ]
    gamma = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"sBIT", b"\5\5\5")
    for name, colour, kind, channels, depths in kinds:
        for bits in depths:
            samples = generator.integers(0, 1 << bits, (11, 13, channels))
            data = png(11, 13, bits, kind, interlaced(samples, bits), is_interlaced=True)
            keep(f"png-interlaced-{name}-{bits}", "png", data, colour, bits)
            if bits != 8:
                keep(f"png-{name}-{bits}", "png", png(11, 13, bits, kind, packed(samples, bits)), colour, bits)
    for height, width in [(1, 1), (1, 5), (5, 1), (3, 2)]:
        samples = generator.integers(0, 256, (height, width, 3))
        data = png(height, width, 8, 2, interlaced(samples, 8), is_interlaced=True)
        keep(f"png-interlaced-{height}x{width}", "png", data, "rgb", 8)
    samples = generator.integers(0, 256, (7, 5, 3))
    keep("png-gamma", "png", png(7, 5, 8, 2, packed(samples, 8), before=gamma), "rgb", 8)
    key = chunk(b"tRNS", struct.pack(">HHH", *samples[0, 0]))
    keep("png-rgb-key", "png", png(7, 5, 8, 2, packed(samples, 8), before=key), "rgb", 8)
    keep("png-stored", "png", png(7, 5, 8, 2, packed(samples, 8), level=0), "rgb", 8)
    key = chunk(b"tRNS", struct.pack(">H", 3))
    samples = generator.integers(0, 16, (7, 5, 1))
    keep("png-grey-key", "png", png(7, 5, 4, 0, packed(samples, 4), before=key), "grey", 4)

    depth = generator.integers(0, 65536, (7, 5, 1))
    refuse("png-depth", "png", png(7, 5, 16, 0, packed(depth, 16)), "grey samples of 16 bits")


def others():
    image = Image.fromarray(scene(8, 8))
    for name, form in [("WebP", "WEBP"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("AVIF", "AVIF")]:
        (FOLDER / f"other.{name}").write_bytes(saved(image, form)[:64])


def encodings():
    source = scene(30, 44)
    (FOLDER / "source.rgb").write_bytes(source.tobytes())
    for subsampling, number in [("4:4:4", 0), ("4:2:0", 2)]:
        for quality in [50, 95]:
            name = f"encoded-{number}-{quality}"
            data = saved(Image.fromarray(source), "JPEG", quality=quality, subsampling=number)
            keep(name, "jpeg", data, "yCbCr", 8)
            encoded[name] = dict(subsampling=subsampling, quality=quality, height=30, width=44)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    jpegs()
    pngs()
    others()
    encodings()
    for name, table in [("pictures", pictures), ("refused", refused), ("encoded", encoded)]:
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items()]
        (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
