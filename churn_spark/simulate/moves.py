"""Where a listener goes next: page-to-page chances by context and persona.

Source: our own rounded parametrisation, calibrated on logs of the public event generator;
cells below .002 are folded into the rest of their row (Error excepted). Rows needn't add up
to 1, they are scaled. Chances of Cancel aren't in these rows but in `CANCEL_CHANCES`.

A line reads `context | page > next page chance, ...`; END closes the session.
"""

from __future__ import annotations

from typing import Final

COMMON: Final = """
Guest/free | About > Home .75, Help .17, END .04, Register .04
Guest/free | Error > Home .85, END .15
Guest/free | Help > Home .76, Help .11, END .07, Register .06
Guest/free | Home > Register .33, Help .25, About .20, Home .13, END .09
Guest/free | Register > Submit Registration .54, Home .12, END .10, About .09, \
Register .09, Help .06
Guest/free | Submit Registration > Home 1
Logged Out/free | About > Login .42, Home .31, END .21, About .035, Help .025
Logged Out/free | Error > Home .64, END .30, Help .06
Logged Out/free | Help > Login .52, Home .295, Help .090, END .095
Logged Out/free | Home > Login .495, END .250, Home .103, About .098, Help .053, Error .001
Logged Out/free | Login > Home 1
Logged Out/paid | About > Login .487, Home .308, END .097, About .055, Help .053
Logged Out/paid | Error > Home .71, Login .20, Help .065, END .025
Logged Out/paid | Help > Login .488, Home .316, END .098, Help .096, About .002
Logged Out/paid | Home > Login .647, Home .150, About .101, END .052, Help .049, Error .001
Logged Out/paid | Login > Home 1
Logged In/free | Logout > Home 1
Logged In/paid | Logout > Home 1
Logged In/free | Cancel > Cancellation Confirmation 1
Logged In/paid | Cancel > Cancellation Confirmation 1
Logged In/free | Submit Upgrade > Home 1
Logged In/paid | Submit Downgrade > Home 1
Logged In/free | About > NextSong .590, Home .204, END .071, Add Friend .055, About .042, \
Settings .014, Logout .013, Help .010, Error .001
Logged In/free | Add Friend > NextSong .493, Add Friend .300, Home .102, Settings .050, \
END .012, About .011, Upgrade .011, Help .010, Logout .009, Error .002
Logged In/free | Error > NextSong .748, Home .198, Logout .037, Error .011, END .006
Logged In/free | Help > NextSong .490, Home .202, Help .115, END .081, Settings .046, \
Add Friend .046, Logout .013, Upgrade .006, Error .001
Logged In/free | Home > NextSong .850, END .047, Add Friend .050, Settings .020, Home .010, \
Logout .009, Upgrade .006, Help .002, About .002, Error .001
Logged In/free | Save Settings > Home .793, Settings .112, END .095
Logged In/free | Settings > NextSong .500, Save Settings .200, Home .101, Settings .090, \
Help .053, Add Friend .022, END .009, Logout .009, Upgrade .006, About .002, Error .001
Logged In/paid | About > NextSong .394, END .275, Home .202, Add Friend .051, About .050, \
Settings .009, Logout .009, Help .008, Error .001
Logged In/paid | Add Friend > NextSong .652, Add Friend .298, END .039, Logout .010, Error .001
Logged In/paid | Error > NextSong .750, Home .202, END .027, Help .012, Logout .009
Logged In/paid | Help > NextSong .752, Home .096, END .043, Add Friend .040, Help .030, \
Settings .021, Logout .011, Downgrade .005, Error .001
Logged In/paid | Home > NextSong .847, Add Friend .052, END .042, Settings .020, Logout .010, \
Home .010, Downgrade .005, Help .002, About .002, Error .001
Logged In/paid | Save Settings > Home .785, END .124, Settings .090, Error .001
Logged In/paid | Settings > NextSong .600, Save Settings .199, Home .051, Help .052, \
Settings .047, Add Friend .019, Downgrade .011, Logout .011, END .004, About .002, Error .001
Logged In/free | Add to Playlist > NextSong .950, END .020, Thumbs Up .011, Upgrade .011, Help .008
Logged In/paid | Add to Playlist > NextSong .948, END .042, Thumbs Up .010
Logged In/free | Thumbs Up > NextSong .899, Add to Playlist .050, END .040, Upgrade .009, Error .001
Logged In/paid | Thumbs Up > NextSong .900, Add to Playlist .070, END .029, Error .001
Logged In/free | Thumbs Down > NextSong .890, END .096, Logout .012, Error .001
Logged In/paid | Roll Advert > NextSong .800, Logout .105, Downgrade .060, END .021, \
Roll Advert .013, Error .001
"""

BY_PERSONA: Final = {
    "Accordion": """
Logged In/free | NextSong > NextSong .750, Roll Advert .080, Thumbs Up .050, \
Add to Playlist .025, Home .020, Logout .020, END .0115, Upgrade .010, Add Friend .010, \
Thumbs Down .010, Help .005, Settings .005, About .002, Error .001
Logged In/free | Roll Advert > NextSong .901, END .067, Roll Advert .022, Logout .009, Error .001
Logged In/free | Upgrade > NextSong .454, Submit Upgrade .306, Home .097, Upgrade .070, \
Add Friend .049, END .009, Logout .007, Help .004, About .003, Error .001
Logged In/paid | NextSong > NextSong .850, Thumbs Up .050, Add to Playlist .025, Home .020, \
Downgrade .010, Logout .010, Thumbs Down .010, Add Friend .010, Help .005, Settings .005, \
About .002, END .001, Roll Advert .001, Error .001
Logged In/paid | Thumbs Down > NextSong .897, Help .032, Settings .020, Downgrade .020, \
Logout .020, END .009, Error .001
Logged In/paid | Downgrade > NextSong .652, Logout .099, Home .099, Downgrade .071, END .032, \
Submit Downgrade .030, Help .006, About .002, Error .001
""",
    "Tuba": """
Logged In/free | NextSong > NextSong .678, Roll Advert .150, Thumbs Up .051, \
Add to Playlist .025, Logout .021, Thumbs Down .020, Home .019, Add Friend .010, Upgrade .010, \
Settings .005, Help .005, END .003, About .002, Error .001
Logged In/free | Roll Advert > NextSong .902, Roll Advert .070, Logout .010, Upgrade .006, \
END .003, Error .001
Logged In/free | Upgrade > NextSong .423, Submit Upgrade .304, Home .089, END .056, \
Add Friend .056, Upgrade .050, Logout .016, Help .004, About .004
Logged In/paid | NextSong > NextSong .838, Thumbs Up .040, Add to Playlist .026, Home .020, \
Downgrade .015, Logout .010, Thumbs Down .010, Add Friend .010, Roll Advert .009, END .007, \
Help .005, Settings .005, About .002, Error .001
Logged In/paid | Thumbs Down > NextSong .866, Downgrade .040, Help .036, Settings .023, \
Logout .017, END .010
Logged In/paid | Roll Advert > NextSong .700, Logout .110, Downgrade .076, Roll Advert .027, \
END .012, Error .003
Logged In/paid | Downgrade > NextSong .623, Home .105, Logout .099, Submit Downgrade .071, \
Downgrade .064, Help .004, About .002
""",
    "Zither": """
Logged In/free | NextSong > NextSong .740, Roll Advert .079, Thumbs Up .050, Thumbs Down .030, \
Add to Playlist .025, Logout .020, Home .020, Add Friend .010, Upgrade .007, Settings .005, \
END .0045, Help .005, About .002, Error .001
Logged In/free | Roll Advert > NextSong .904, END .062, Roll Advert .018, Logout .010, Error .001
Logged In/free | Upgrade > NextSong .437, Submit Upgrade .235, Home .105, END .081, \
Upgrade .065, Add Friend .063, Logout .005, Help .005, About .003, Error .001
Logged In/paid | NextSong > NextSong .821, Thumbs Up .050, Thumbs Down .030, \
Add to Playlist .025, Home .020, Downgrade .015, Logout .010, Add Friend .010, END .0052, \
Settings .005, Help .005, About .002, Roll Advert .001, Error .001
Logged In/paid | Thumbs Down > NextSong .885, Help .034, Downgrade .030, Logout .022, \
Settings .019, END .004, Error .001
Logged In/paid | Downgrade > NextSong .614, Home .109, Downgrade .093, Logout .092, \
Submit Downgrade .063, Help .002, About .002, Error .001
""",
    "Xylophone": """
Logged In/free | NextSong > NextSong .712, Thumbs Up .091, Roll Advert .076, \
Add to Playlist .025, Upgrade .021, Home .020, Logout .019, Add Friend .010, Thumbs Down .010, \
Settings .006, Help .005, END .002, About .002, Error .001
Logged In/free | Roll Advert > NextSong .906, END .065, Roll Advert .020, Logout .005, Error .001
Logged In/free | Upgrade > Submit Upgrade .388, NextSong .367, Home .077, Upgrade .073, \
Add Friend .062, Logout .024, Help .006, About .002
Logged In/paid | NextSong > NextSong .810, Thumbs Up .091, Add to Playlist .025, Home .020, \
Add Friend .010, Logout .010, Thumbs Down .010, END .0052, Settings .005, Downgrade .005, \
Help .005, About .002, Roll Advert .001, Error .001
Logged In/paid | Thumbs Up > NextSong .900, Add to Playlist .070, END .029, Error .001
Logged In/paid | Thumbs Down > NextSong .900, Help .035, END .020, Logout .019, Settings .019, \
Downgrade .006, Error .001
Logged In/paid | Downgrade > NextSong .634, Home .113, Logout .094, Downgrade .071, END .046, \
Submit Downgrade .024, Help .009, About .003, Error .001
""",
}

# What ends a subscription: the chance of Cancel at each visit of a page, free and paid.
CANCEL_CHANCES: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "Accordion": {
        "Downgrade": (0.0, 0.010),
        "Settings": (0.005, 0.005),
        "Roll Advert": (0.001, 0.005),
        "Thumbs Down": (0.001, 0.001),
    },
    "Tuba": {
        "Downgrade": (0.0, 0.030),
        "Settings": (0.020, 0.020),
        "Roll Advert": (0.010, 0.050),
        "Thumbs Down": (0.010, 0.010),
    },
    "Zither": {
        "Downgrade": (0.0, 0.020),
        "Settings": (0.009, 0.010),
        "Roll Advert": (0.005, 0.010),
        "Thumbs Down": (0.005, 0.005),
    },
    "Xylophone": {
        "Downgrade": (0.0, 0.005),
        "Settings": (0.003, 0.002),
        "Roll Advert": (0.001, 0.002),
        "Thumbs Down": (0.001, 0.001),
    },
}

# First page of a session, by the auth that the last one left behind.
SESSION_OPENERS: Final = {
    "Logged In": "NextSong .615, Home .377, Help .004, About .003, Error .001",
    "Logged Out": "Home .660, Login .318, Help .015, About .004, Error .003",
    "Guest": "Home .85, Help .10, About .04, Error .01",
}
