"""Word lists that people are put together from: names, places and browsers.

Names are common ones combined at random. Places are real metropolitan areas, written the
way the logs write them, with about their population in hundreds of thousands.
"""

from __future__ import annotations

from typing import Final


def listed(text: str, separator: str = " ") -> list[str]:
    """Split a list that is written as one text."""
    return text.split(separator)


FEMALE_NAMES: Final = listed(
    "Aaliyah Abigail Alexa Alice Amelia Anna Aria Ava Bella Camila Chloe Clara Daniela Ella "
    "Emily Emma Eva Evelyn Faith Gabriela Grace Hailey Hannah Isabella Jada Jasmine Julia "
    "Kayla Kimberly Layla Leah Lily Lucia Madison Maya Mia Molly Naomi Natalie Olivia Paige "
    "Rachel Riley Ruby Sara Sofia Stella Valentina Violet Zoë"
)
MALE_NAMES: Final = listed(
    "Aaron Adam Adrian Aiden Alejandro Andrew Anthony Austin Benjamin Brandon Caleb Carlos "
    "Carter Christian Cody Colin Connor Daniel David Diego Dominic Elijah Ethan Evan Gabriel "
    "Henry Isaac Jack Jacob James Jayden Jonah José Joshua Julian Kevin Landon Leo Liam Lucas "
    "Mason Mateo Nathan Noah Oliver Owen Ryan Samuel Theodore Wyatt"
)
LAST_NAMES: Final = listed(
    "Adams Allen Anderson Bailey Baker Barnes Bell Bennett Brooks Brown Bryant Campbell Carter "
    "Castro Clark Collins Cooper Cox Cruz Davis Diaz Edwards Evans Fisher Flores Foster Garcia "
    "Gomez Gonzalez Gray Green Hall Harris Hayes Henderson Hill Howard Hughes Jackson Jenkins "
    "Johnson Jones Kelly Kim King Lee Lewis Long Lopez Martin Martinez Miller Mitchell Moore "
    "Morales Morgan Morris Murphy Nelson Nguyen O'Brien Ortiz Parker Patel Perez Perry "
    "Phillips Powell Price Ramirez Reed Reyes Reynolds Richardson Rivera Roberts Robinson "
    "Rogers Ross Russell Sanders Scott Simmons Smith Stewart Sullivan Taylor Thomas Thompson "
    "Torres Turner Walker Ward Washington Watson White Williams Wilson Wood Wright Young"
)

PLACES: Final = """
New York-Newark-Jersey City, NY-NJ-PA 201
Los Angeles-Long Beach-Anaheim, CA 133
Chicago-Naperville-Elgin, IL-IN-WI 96
Dallas-Fort Worth-Arlington, TX 70
Houston-The Woodlands-Sugar Land, TX 65
Philadelphia-Camden-Wilmington, PA-NJ-DE-MD 61
Washington-Arlington-Alexandria, DC-VA-MD-WV 60
Miami-Fort Lauderdale-West Palm Beach, FL 59
Atlanta-Sandy Springs-Roswell, GA 56
Boston-Cambridge-Newton, MA-NH 47
San Francisco-Oakland-Hayward, CA 46
Phoenix-Mesa-Scottsdale, AZ 45
Riverside-San Bernardino-Ontario, CA 44
Detroit-Warren-Dearborn, MI 43
Seattle-Tacoma-Bellevue, WA 37
Minneapolis-St. Paul-Bloomington, MN-WI 35
San Diego-Carlsbad, CA 33
Tampa-St. Petersburg-Clearwater, FL 29
St. Louis, MO-IL 28
Baltimore-Columbia-Towson, MD 28
Denver-Aurora-Lakewood, CO 28
Charlotte-Concord-Gastonia, NC-SC 24
Portland-Vancouver-Hillsboro, OR-WA 24
Pittsburgh, PA 24
San Antonio-New Braunfels, TX 23
Orlando-Kissimmee-Sanford, FL 23
Sacramento--Roseville--Arden-Arcade, CA 22
Cincinnati, OH-KY-IN 21
Cleveland-Elyria, OH 21
Kansas City, MO-KS 21
Las Vegas-Henderson-Paradise, NV 21
Columbus, OH 20
Indianapolis-Carmel-Anderson, IN 20
San Jose-Sunnyvale-Santa Clara, CA 20
Austin-Round Rock, TX 20
Nashville-Davidson--Murfreesboro--Franklin, TN 18
Virginia Beach-Norfolk-Newport News, VA-NC 17
Providence-Warwick, RI-MA 16
Milwaukee-Waukesha-West Allis, WI 16
Jacksonville, FL 14
Memphis, TN-MS-AR 13
Oklahoma City, OK 13
Louisville/Jefferson County, KY-IN 13
Richmond, VA 13
New Orleans-Metairie, LA 13
Raleigh, NC 12
Hartford-West Hartford-East Hartford, CT 12
Salt Lake City, UT 12
Birmingham-Hoover, AL 11
Buffalo-Cheektowaga-Niagara Falls, NY 11
Rochester, NY 11
Grand Rapids-Wyoming, MI 10
Tucson, AZ 10
Urban Honolulu, HI 10
Tulsa, OK 10
Fresno, CA 10
Bridgeport-Stamford-Norwalk, CT 9
Worcester, MA-CT 9
Albuquerque, NM 9
Omaha-Council Bluffs, NE-IA 9
Albany-Schenectady-Troy, NY 9
Bakersfield, CA 9
Knoxville, TN 9
Greenville-Anderson-Mauldin, SC 9
Oxnard-Thousand Oaks-Ventura, CA 8
El Paso, TX 8
Allentown-Bethlehem-Easton, PA-NJ 8
Baton Rouge, LA 8
McAllen-Edinburg-Mission, TX 8
Dayton, OH 8
Columbia, SC 8
Greensboro-High Point, NC 8
Akron, OH 7
Little Rock-North Little Rock-Conway, AR 7
Stockton-Lodi, CA 7
Charleston-North Charleston, SC 7
Syracuse, NY 7
Colorado Springs, CO 7
Wichita, KS 6
Springfield, MA 6
Boise City, ID 6
Toledo, OH 6
Madison, WI 6
Des Moines-West Des Moines, IA 6
Jackson, MS 6
Augusta-Richmond County, GA-SC 6
Scranton--Wilkes-Barre--Hazleton, PA 6
Spokane-Spokane Valley, WA 5
Chattanooga, TN-GA 5
Portland-South Portland, ME 5
Lexington-Fayette, KY 5
Lansing-East Lansing, MI 5
Santa Rosa, CA 5
Fayetteville-Springdale-Rogers, AR-MO 5
Manchester-Nashua, NH 4
Anchorage, AK 4
Corpus Christi, TX 4
Eugene, OR 4
Myrtle Beach-Conway-North Myrtle Beach, SC-NC 4
Gulfport-Biloxi-Pascagoula, MS 4
Lincoln, NE 3
Cedar Rapids, IA 3
Roanoke, VA 3
Burlington-South Burlington, VT 2
Sioux Falls, SD 2
Fargo, ND-MN 2
Billings, MT 2
Logan, UT-ID 1
Cheyenne, WY 1
Dubuque, IA 1
"""

# Operating systems with the share of each, and the browsers seen on them below.
_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WINDOWS: Final = (
    ("Windows NT 6.1; WOW64", 20),
    ("Windows NT 6.3; WOW64", 8),
    ("Windows NT 6.1", 5),
    ("Windows NT 6.2; WOW64", 3),
    ("Windows NT 5.1", 3),
)
_OTHER_DESKTOPS: Final = (
    ("Macintosh; Intel Mac OS X 10_9_4", 14),
    ("Macintosh; Intel Mac OS X 10_10", 3),
    ("Macintosh; Intel Mac OS X 10_8_5", 2),
    ("X11; Linux x86_64", 3),
)
_CHROMES: Final = (
    ("36.0.1985.143", 6),
    ("36.0.1985.125", 3),
    ("37.0.2062.94", 2),
    ("35.0.1916.153", 1),
)
_FIREFOXES: Final = (("31.0", 5), ("30.0", 1), ("32.0", 1))
_FIREFOX_DESKTOPS: Final = (
    ("Macintosh; Intel Mac OS X 10.9", 9),
    ("Macintosh; Intel Mac OS X 10.7", 2),
    ("X11; Ubuntu; Linux x86_64", 4),
)
_IOS: Final = (("iPhone; CPU iPhone OS 7_1_2", 9), ("iPad; CPU OS 7_1_2", 7))
_INTERNET_EXPLORERS: Final = (
    ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", 30),
    ("Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; rv:11.0) like Gecko", 12),
    ("Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; WOW64; Trident/6.0)", 8),
    ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)", 12),
)


def places() -> list[tuple[str, float]]:
    """List locations ("City-City, ST-ST") with their weights.

    A weight grows slower than the population: 225 users have about 100 locations.

    Raises:
        ValueError: if a population isn't a number.
    """
    lines = (line.rpartition(" ") for line in PLACES.strip().splitlines())
    return [(place, float(population) ** 0.5) for place, _, population in lines]


def user_agents() -> list[tuple[str, float]]:
    """List user agents with their weights; WebKit ones are in literal quotes, as logged."""
    chrome = [
        (f'"Mozilla/5.0 ({system}) {_WEBKIT} Chrome/{version} Safari/537.36"', 1.0 * share * weight)
        for system, share in _WINDOWS + _OTHER_DESKTOPS
        for version, weight in _CHROMES
    ]
    firefox = [
        (f"Mozilla/5.0 ({system}; rv:{version}) Gecko/20100101 Firefox/{version}", 1.2 * share * w)
        for system, share in _WINDOWS + _FIREFOX_DESKTOPS
        for version, w in _FIREFOXES
    ]
    safari = [
        (
            f'"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/{build} '
            f'(KHTML, like Gecko) Version/{version} Safari/{build}"',
            share,
        )
        for version, build, share in (("7.0.6", "537.78.2", 60.0), ("7.0.5", "537.77.4", 45.0))
    ]
    mobile = [
        (
            f'"Mozilla/5.0 ({system} like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) '
            'Version/7.0 Mobile/11D257 Safari/9537.53"',
            4.0 * share,
        )
        for system, share in _IOS
    ]
    return chrome + firefox + safari + mobile + [(a, float(w)) for a, w in _INTERNET_EXPLORERS]
