"""What stands for numbers, ways to reach somebody, places and ages: in the form of what was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from annotator.core.keyed import Draws
from annotator.core.surfaces import normal_surface
from annotator.core.surrogate_words import STREETS, TOWNS, word_set

_DIGITS, _SMALL, _LARGE = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Words beside a number that say what it is.
_OF_NUMBERS = word_set(
    "account acct accession bed bleep card case chi encounter ext extension fin hospital id insurance licence license "
    "lot medical medicare member mrn nhs no npi number pager patient policy record ref room serial ssn study unit "
    "visit ward x"
)
_RUN = re.compile(r"[^\W\d_]+|\d+|.", re.DOTALL)
_TRIES = 50

_ADDRESS = re.compile(r"[^\s@,;<>()]+@[^\s@,;<>()]+")
_WEB = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|uk|de|fr|eu|io|info|nhs)\b\S*", re.I
)
_OF_CONTACTS = word_set(
    "bleep by call cell ext extension e email fax home mail mobile no number on or pager phone tel telephone work x"
)

_STREET = word_set(
    "street st road rd avenue ave lane ln drive dr way close court ct place pl boulevard blvd square sq terrace "
    "crescent highway hwy parkway pkwy gardens row"
)
_STREETS_KINDS = "|".join(sorted(_STREET, key=len, reverse=True))
_HOUSE = re.compile(
    rf"(?P<number>\d+\s?[A-Za-z]?)\s+(?P<name>.+?)(?:\s+(?P<street>{_STREETS_KINDS}))?\.?(?P<rest>\s+(?:apt|unit|flat"
    r"|suite|ste|no)\b\.?.*)?",
    re.IGNORECASE,
)
_STREET_ALONE = re.compile(rf".+?\s+(?P<street>{_STREETS_KINDS})\.?", re.IGNORECASE)
_FACILITY = re.compile(
    r".*?(?P<kind>(?:(?:general|university|community|regional|memorial|children's|district|county|city)\s+)*"
    r"(?:hospital|clinic|infirmary|medical cent(?:er|re)|health cent(?:er|re)|cent(?:er|re)|surgery|practice|hospice"
    r"|nursing home|care home|rehab(?:ilitation)?|school|college|university|church|pharmacy))",
    re.IGNORECASE,
)
_PLACE_IN_HOUSE = re.compile(
    r"(?P<kind>ward|room|rm|bed|floor|unit|bay|theatre|po box|p\.o\. box|apt|flat|suite)\b", re.I
)
_ZIP = re.compile(r"\d{5}(?:-\d{4})?")
_POSTCODE = re.compile(r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}", re.IGNORECASE)
# States are no identifiers under the Safe Harbor rule, and stay.
_STATES = word_set(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA "
    "RI SC SD TN TX UT VT VA WA WV WI WY DC UK USA US"
)
_GENERIC = (
    word_set(
        "the a of and at in hospital clinic infirmary medical center centre health general university community "
        "regional memorial children district county city surgery practice hospice nursing care home rehab "
        "rehabilitation school college church pharmacy ward room rm bed floor unit bay theatre box apt flat suite icu "
        "ed er itu"
    )
    | _STREET
)
_PIECE = re.compile(r"[^,;\n]+")

OLDEST = 89
_AGE = re.compile(r"\d+")
_WRITTEN_AGE = re.compile(r"\b(?:ninet(?:y|ies)|nonagenarian|centenarian|hundred)\b", re.IGNORECASE)


def number_like(key: bytes, surface: str) -> str:
    """Other digits and letters in their places, without a check digit that is right; '' where it has none."""
    bare = "".join(filter(str.isalnum, surface)).casefold()
    runs = [found[0] for found in _RUN.finditer(surface)]
    is_plain = [run.isalpha() and run.casefold() in _OF_NUMBERS for run in runs]
    # Draws go by what the number is, whatever stands between its digits and before it.
    own = own_number(surface).casefold()
    if not own:
        return ""
    draws = Draws(key, "number", own)
    for _ in range(_TRIES):
        found = "".join(
            run if plain else "".join(_other(character, draws) for character in run)
            for run, plain in zip(runs, is_plain, strict=True)
        )
        found = _no_social_security(found)
        digits = "".join(character for character in found if character in _DIGITS)
        if "".join(filter(str.isalnum, found)).casefold() != bare and not is_checked(digits):
            return found
    return ""


def own_number(surface: str) -> str:
    """Its digits and letters without the words that say what number it is."""
    runs = (found[0] for found in _RUN.finditer(surface))
    return "".join(run for run in runs if run.isalnum() and run.casefold() not in _OF_NUMBERS)


def own_address(surface: str) -> str:
    """The letters and digits of a way to reach somebody, without the words that say which way."""
    runs = (found[0] for found in _RUN.finditer(surface))
    return "".join(run for run in runs if run.isalnum() and run.casefold() not in _OF_CONTACTS)


def is_generic(surface: str) -> bool:
    """Whether a place is said in words alone that many have: a hospital, a ward, a state."""
    words = re.findall(r"\w+", surface)
    return all(word.casefold() in _GENERIC or word in _STATES for word in words)


def is_checked(digits: str) -> bool:
    """Whether the last digit is right for an NHS number (modulus 11), a card or device number (Luhn), or an NPI."""
    if len(digits) == 10 and (_is_nhs(digits) or _is_luhn("80840" + digits)):
        return True
    return len(digits) >= 8 and _is_luhn(digits)


def contact_like(key: bytes, surface: str) -> str:
    """An address at example.org, or a telephone number that is kept for stories; '' where it is neither."""
    normal = normal_surface(surface)
    draws = Draws(key, "contact", normal)
    for pattern, form in ((_ADDRESS, "person{}@example.org"), (_WEB, "www.example.org/{}")):
        if pattern.search(surface):
            new = form.format(draws.below(9000) + 1000)
            return pattern.sub(new, surface) if _is_alone(pattern, surface) else ""
    digits = "".join(filter(str.isdecimal, surface))
    words = re.findall(r"[^\W\d_]+", surface)
    if not digits or any(word.casefold() not in _OF_CONTACTS for word in words):
        return ""
    if len(digits) < 7:
        return number_like(key, surface)
    is_known = "+" not in surface or digits.startswith("44") or (digits[0] == "1" and len(digits) == 11)
    # By the last digits, so that a number is the same with its country's and without.
    new = _telephone(digits, Draws(key, "telephone", digits[-7:])) if is_known else ""
    if not new or new == digits:
        return ""
    given = iter(new)
    return "".join(next(given) if character.isdecimal() else character for character in surface)


def place_like(key: bytes, surface: str, barred: Collection[str] = ()) -> str:
    """Another place, piece by piece: house, street, town and code each in their form; '' where nothing of it would be
    another. No town or street is one of `barred`.
    """
    found = _PIECE.sub(lambda piece: _around(piece[0], lambda inner: _piece(key, inner, barred)), surface)
    return found if normal_surface(found) != normal_surface(surface) else ""


def age_like(surface: str) -> str:
    """Ages over 89 as one; others as they are; '' where it says neither."""
    if _AGE.search(surface):
        return _AGE.sub(lambda age: f"{OLDEST + 1}+" if int(age[0]) > OLDEST else age[0], surface)
    return f"over {OLDEST}" if _WRITTEN_AGE.search(surface) else ""


def _other(character: str, draws: Draws) -> str:
    if character.isdecimal():
        return draws.of(_DIGITS)
    if character.isalpha():
        return draws.of(_LARGE if character.isupper() else _SMALL)
    return character


def _no_social_security(number: str) -> str:
    """666 is the area of no social security number."""
    return f"666{number[3:]}" if re.fullmatch(r"\d{3}-\d{2}-\d{4}", number) else number


def _is_nhs(digits: str) -> bool:
    check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    return check % 11 == int(digits[9])


def _is_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def _is_alone(pattern: re.Pattern[str], surface: str) -> bool:
    """Whether nothing stands beside what the pattern finds that tells anything."""
    beside = pattern.sub(" ", surface)
    return not any(map(str.isdigit, beside)) and all(
        word.casefold() in _OF_CONTACTS for word in re.findall(r"[^\W\d_]+", beside)
    )


def _telephone(digits: str, draws: Draws) -> str:
    """As many digits out of the ranges that are kept for fiction in North America and the United Kingdom."""
    end = "".join(draws.of(_DIGITS) for _ in range(9))
    if len(digits) == 7:
        return "55501" + end[:2]
    if (len(digits) == 10 and digits[0] in "23456789") or (len(digits) == 11 and digits[0] == "1"):
        return digits[:-10] + str(draws.below(8) + 2) + end[2:4] + "55501" + end[:2]
    for country in ("0044", "44", "0"):
        own = digits.removeprefix(country)
        if own != digits and len(own) == 10:
            return country + ("7700900" if own[0] == "7" else "1632960") + end[:3]
    return ""


def _around(piece: str, change: Callable[[str], str]) -> str:
    """The piece with what stands between the white space at its ends changed."""
    inner = piece.strip()
    if not inner:
        return piece
    start = piece.index(inner)
    return piece[:start] + change(inner) + piece[start + len(inner) :]


def _piece(key: bytes, piece: str, barred: Collection[str]) -> str:
    draws = Draws(key, "place", normal_surface(piece))
    if piece in _STATES:
        return piece
    if _POSTCODE.fullmatch(piece):
        return _post_code(piece)
    words = piece.split(" ")
    if _ZIP.fullmatch(words[-1]) and len(words) > 1:
        return " ".join([_piece(key, " ".join(words[:-1]), barred), _zip(words[-1], draws)])
    if _ZIP.fullmatch(piece):
        return _zip(piece, draws)
    if len(words) > 1 and words[-1] in _STATES:
        return " ".join([_piece(key, " ".join(words[:-1]), barred), words[-1]])
    if _PLACE_IN_HOUSE.match(piece):
        return number_like(key, piece) or _town(draws, barred)
    if house := _HOUSE.fullmatch(piece):
        number = "".join(_other(character, draws) for character in house["number"]).lstrip("0") or "1"
        rest = "".join(_other(c, draws) if c.isdecimal() else c for c in house["rest"] or "")
        return f"{number} {_drawn(draws, STREETS, barred)} {house['street'] or 'Street'}{rest}"
    if street := _STREET_ALONE.fullmatch(piece):
        return f"{_drawn(draws, STREETS, barred)} {street['street']}"
    if facility := _FACILITY.match(piece):
        return f"{_town(draws, barred)} {facility['kind']}"
    town = _town(draws, barred)
    return town.upper() if piece.isupper() and len(piece) > 3 else town.lower() if piece.islower() else town


def _town(draws: Draws, barred: Collection[str]) -> str:
    return _drawn(draws, TOWNS, barred)


def _drawn(draws: Draws, names: tuple[str, ...], barred: Collection[str]) -> str:
    drawn = [draws.of(names) for _ in range(_TRIES)]
    return next((name for name in drawn if name.casefold() not in barred), drawn[0])


def _zip(code: str, draws: Draws) -> str:
    """No post office has a code that begins with 000."""
    return "000" + "".join(_other(character, draws) for character in code[3:])


def _post_code(code: str) -> str:
    """ZZ99 is no area."""
    return "ZZ99" + (" " if " " in code else "") + "9ZZ"
