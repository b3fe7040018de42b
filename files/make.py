"""Makes the built-in files that links point to, and the receipt of `warranty`: python3 make.py FFMPEG

Small and valid, without anything of anybody's in them: a test picture, a tone, a second of film, a page of one line.
"""

import subprocess
import sys

EXACT = "-loglevel error -y -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1"
BARS = "-f lavfi -i smptebars=s=64x48:r=5"


def ffmpeg(arguments, name):
    command = [sys.argv[1], *BARS.split(), *arguments.split(), *EXACT.split(), name]
    subprocess.run(command, check=True)


def pdf(text):
    drawn = f"BT /F1 18 Tf 20 40 Td ({text}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 240 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = "%PDF-1.4\n", []
    for number, inside in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj{inside}endobj\n"
    table = "0000000000 65535 f \n" + "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    return f"{body}xref\n0 {count}\n{table}trailer<</Size {count}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF\n"


ffmpeg("-frames:v 1 -update 1", "picture.png")
ffmpeg("-f lavfi -i sine=440:d=0.3 -map 1:a -ac 1 -ar 16000 -b:a 8k -write_xing 0 -id3v2_version 0", "sound.mp3")
ffmpeg("-t 1 -c:v libx264 -crf 40 -pix_fmt yuv420p -bsf:v filter_units=remove_types=6 -movflags +faststart", "film.mp4")
with open("page.pdf", "w", newline="\n") as file:
    file.write(pdf("A page made by standin"))
with open("../scenarios/files/receipt.pdf", "w", newline="\n") as file:
    file.write(pdf("Ember Home, receipt 1500: kettle, 49 euro"))
