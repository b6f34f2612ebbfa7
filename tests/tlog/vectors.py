"""Worked examples of others: transparency-dev/merkle's reference tree, and notes and a log of the Go tools."""

import base64

LEAVES = [
    bytes.fromhex(digits)
    for digits in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = """
bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0= +sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=
rra8/idLcKFPsGel5VeCZNsPqbUa9eC6FZFY8yngbnc= 037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=
Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ= duZ9rbzfHhDht03cYIq9L5jfsW+851J3tSMqEn8gh+8=
3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw= XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=
"""
INCLUSION_5_IN_8 = """
vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms= yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=
037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=
"""
CONSISTENCY = {
    (1, 8): """
lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c= Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=
a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=
""",
    (6, 8): """
DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o= yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=
037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=
""",
    (3, 7): """
ApjRIpBtz8EIkstTpzmS/FufST6kybrbJ7eRtBJ6f+c= B1Bqhf2d0vEg62lPhgEeW7RmLlxBWmKRcDPUqWJEh+c=
+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU= g327FS6bB5AQcX6E6GXaTrwPoZioBtWdMb8VrM7yLQ4=
""",
}

# Vector A: golang.org/x/mod/sumdb/note's own example.
VKEY_A = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE_A = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

# Vector B: Tessera's test log, published with its private key, so that every byte can be made again.
SKEY_B = "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg"
VKEY_B = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
ORIGIN_B = "example.com/log/testdata"
ENTRIES_B = [
    b"one",
    b"two",
    b"three",
    b"four",
    b"five",
    b"six",
    b"seven",
    b"eit",
    b"nain",
    b"ten",
    b"ileven",
    b"twelf",
    b"threeten",
    b"fourten",
    b"fivten",
]
NOTES_B = {
    3: (
        f"{ORIGIN_B}\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n\n"
        f"— {ORIGIN_B} M9e0lvAQRtH832pk2RTbeSeZMkp4FZSdJYFBUjO5SKxuRbywPUF3cx+HUrb50kjd3rUWW/fj53Wj1dwcwh9bGQnqVAg=\n"
    ).encode(),
    15: (
        f"{ORIGIN_B}\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n"
        f"— {ORIGIN_B} M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n"
    ).encode(),
}
BUNDLE_B_3 = b"\0\3one\0\3two\0\5three"
TILE_B_3 = b"".join(
    base64.b64decode(encoded)
    for encoded in (
        "0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=",
        "qxq38Hx8j+Dv9LpvqlPH5EEukaWZFT6KpOAb7s5beCU=",
        "Zx8UbF5HHooag6PCFM5LqQe486WIjRTMjNPOdbsS75Q=",
    )
)


def hashes(text: str) -> list[bytes]:
    """Decode hashes written in base64, between spaces."""
    return [base64.b64decode(word) for word in text.split()]
