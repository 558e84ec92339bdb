"""A text read for what its words say: figures as numbers, what is negated, what stands in one clause.

`rag.rules` compares two such readings; the lists of words that decide a meaning are here, and `restates`,
which knows a claim that only leaves something out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from rag.keyword import terms

TOKEN = re.compile(r"[A-Za-z]+(?:[-'’_][A-Za-z0-9]+)*\d*|\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?|[,;:.()!?—]")
FIGURE = re.compile(
    r"(?P<digits>(?<![A-Za-z_\d.])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e[+-]?\d+)?))"
    r"(?P<suffix>%|[kMB]\b|bn\b|)|(?P<word>[a-z]+)",
    re.IGNORECASE,
)
RATIO = re.compile(r"\s+(?:\w+\s+){0,2}?(?:in|of|out of)\s+(?:every |the )?(\d[\d,]*|[a-z]+)\b")
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
COUNTS = {word: float(value) for value, word in enumerate(f"{_UNITS} seventeen eighteen nineteen".split())}
COUNTS |= {word: 10.0 * value for value, word in enumerate(_TENS.split(), 2)}
SCALES = {"k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "dozen": 12.0, "hundred": 1e2, "thousand": 1e3}
SCALES |= {"million": 1e6, "millions": 1e6, "billion": 1e9}
PARTS = {"half": 1 / 2, "halves": 1 / 2, "halved": 1 / 2, "halve": 1 / 2, "halving": 1 / 2, "third": 1 / 3}
PARTS |= {"thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4, "fifth": 1 / 5, "fifths": 1 / 5, "tenth": 1 / 10}
PARTS |= {"tenths": 1 / 10, "twentieth": 1 / 20, "eighth": 1 / 8, "hundredth": 1 / 100}
TIMES = {"twice": 2.0, "double": 2.0, "doubles": 2.0, "doubled": 2.0, "doubling": 2.0, "twofold": 2.0, "pair": 2.0}
TIMES |= {"triple": 3.0, "triples": 3.0, "threefold": 3.0, "fourfold": 4.0, "fivefold": 5.0, "tenfold": 10.0}
ORDINAL = {"third", "fifth", "eighth", "tenth"}
UNITS = {
    form: (dimension, unit)
    for dimension, units in {
        "time": "millisecond second minute hour day week month year",
        "memory": "kb mb gb tb byte bit",
    }.items()
    for unit in units.split()
    for form in (unit, f"{unit}s")
} | {"ms": ("time", "millisecond")}

NOT = frozenset("not no never cannot without neither nor none nothing nobody seldom hardly rarely barely".split())
AGAINST = NOT | frozenset(
    """instead lack lacks fail fails failed avoid avoids avoided unlike prevent prevents stop stops unless except
    impossible unable little few useless pointless ignore ignores far nowhere""".split()
)
SURE = frozenset(
    """always never all every everything everyone only must guarantee guarantees guaranteed prove proves proof any
    impossible exactly completely entirely fully inevitably eliminate eliminates certain certainly whatever nobody none
    nothing whole perfect perfectly alone automatically invariably necessarily definitely sole undoubtedly remove
    removes reliably cannot beyond doubt optimal best ensures ensure whenever no regardless simply will once""".split()
)
HEDGE = frozenset(
    """may might can could often usually typically mostly most some tends tend likely probably generally commonly common
    about around roughly normally mainly suggest suggests sometimes perhaps many rarely largely almost nearly possible
    possibly partly somewhat little should one hint hints point points usual frequently relatively
    approximately""".split()
)
CLAUSE = frozenset(
    "while whereas but because since so although though which whose when if yet then unless as and than".split()
)
FILLER = CLAUSE | frozenset(
    """whether therefore thus hence even rather really actually already per via upon among themselves itself however
    moreover besides else also still within across toward towards along thereby otherwise""".split()
)
"""Words that the search keeps and that say nothing by themselves."""
PLACED = frozenset(
    """more most after before above below over under all both few no nor not only same than up down again against
    without into out off each other once until""".split()
)
"""Stop words of the search that decide what a sentence says."""
GUARDS = NOT | HEDGE | frozenset("only if unless when without until except".split())
"""Words that cannot be left out of a sentence without changing what it says."""
LONGEST_CUT = 3
"""Words that may be left out between two parts that are kept."""
EMPTY = FILLER | COUNTS.keys() | SCALES.keys()
OPPOSITES = """increase decrease reduce | raise lower reduce | rise fall drop | grow shrink decline | more less fewer
| most least | higher lower | high low | highest lowest | above below | before after | better worse | best worst |
well badly | good bad poor | large small | larger smaller | big small | bigger smaller | long short | longer shorter |
fast slow | faster slower | quick slow | quickly slowly | cheap expensive costly | easy hard difficult | easier harder
| early late | earlier later | first last | old new | older newer | stable unstable noisy | frequent rare | common
rare | often rarely seldom | always never | again never | all none | everything nothing | gain lose | gain loss | win
lose | add remove | keep drop remove discard change lose | preserve discard change lose | include exclude skip | allow
forbid restrict prevent | accept reject | improve worsen hurt degrade | help hurt harm | helpful harmful | harmless
harmful serious dangerous | strong weak | stronger weaker | strengthen weaken | over under | overvalued undervalued |
overestimate underestimate | overfit underfit | overfitting underfitting | positive negative | inside outside | within
beyond | same different | equal different | similar different | necessary unnecessary | required optional | useful
useless | safe risky dangerous | reliable unreliable | narrow wide broad | widen narrow shrink | deep shallow | deeper
shallower | simple complex | static dynamic | online offline | train test | training test serving | input output |
encoder decoder | precision recall | ridge lasso | local global | public private | random deterministic | correlated
independent | dependent independent | minimum maximum | minimize maximize | start end | visible hidden | reveal hide
conceal | true false | correct wrong | right wrong | mean median | variance bias | left right | top bottom | forward
backward | strict loose lenient | converge diverge | sparse dense | majority minority | frozen trainable | fixed
variable | constant variable | known unknown | certain uncertain doubtful | sure unsure | direct indirect | explicit
implicit | manual automatic | double halve | likely unlikely | possible impossible | sufficient insufficient | suffice
insufficient | full empty | succeed fail | success failure | pass fail | cause prevent | need avoid | use avoid |
shorten lengthen | macro micro | inflate lower deflate | few many | little much | weekday weekend | buy sell | teacher
student | generator discriminator critic | flat steep | sharp blurred smooth | clean noisy | fresh stale | present
missing | tight loose | soft hard | cost save | coarse fine | outward inward | exceed below | reward punish | agree
differ | match differ | forget retain remember | sooner later | untouched distort change | unchanged change | remain
disappear remove | leave remove answer | cope struggle | observed imputed filled | real synthetic fake | optimistic
pessimistic | source target | support contradict | confirm refute | supervised unsupervised | horizontal vertical |
with without | speed slow cost"""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: as written in lower case, its stem (empty for a function word), and where it stands."""

    text: str
    stem: str
    content: bool
    clause: int
    negated: bool
    named: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as a number: 0.5 for `half` and `50%`. `kind` is how it was written; `of` the two numbers of a ratio."""

    value: float
    kind: str
    of: tuple[float, ...] = ()


@dataclass(frozen=True)
class Text:
    """A text read once: its words and figures are kept."""

    raw: str

    @cached_property
    def words(self) -> tuple[Word, ...]:
        return tuple(_words(self.raw))

    @cached_property
    def content(self) -> tuple[Word, ...]:
        """The words that carry meaning, figures aside."""
        return tuple(word for word in self.words if word.content)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Every stem that counts as said, the parts of compounds and the words as written included."""
        return frozenset(terms(self.raw)) | {word.text for word in self.words} | {word.stem for word in self.words}

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(_figures(self.raw))

    @cached_property
    def spelled(self) -> frozenset[str]:
        return frozenset(word.text for word in self.words)


@lru_cache(maxsize=1)
def opposites() -> dict[str, set[str]]:
    """Each stem's opposites."""
    found: dict[str, set[str]] = {}
    for row in OPPOSITES.split("|"):
        first, *others = (stem_of(word) for word in row.split())
        for other in others:
            if other != first:
                found.setdefault(first, set()).add(other)
                found.setdefault(other, set()).add(first)
    return found


@lru_cache(maxsize=50_000)
def stem_of(word: str) -> str:
    """A word's stem; for a stop word that decides a meaning the word itself, for others empty."""
    found = terms(word)
    return found[0] if found else word if word in PLACED else ""


def negates(word: str) -> bool:
    """Whether a word by itself turns a statement round."""
    return word in NOT or word.endswith("n't")


def restates(claim: Text, source: Text) -> bool:
    """Whether a claim is its source with something left out: a beginning, an end, or a few words between.

    Words without a meaning of their own do not count. Nothing else may be put in, and no negation, hedge or
    condition left out of what is kept.
    """
    own, theirs = ([word for word in text.words if _tells(word)] for text in (claim, source))
    matcher = SequenceMatcher(None, [w.stem or w.text for w in own], [w.stem or w.text for w in theirs], autojunk=False)
    steps = matcher.get_opcodes()
    for place, (step, start, end, cut_from, cut_to) in enumerate(steps):
        if step == "equal":
            continue
        first, last = place == 0, place == len(steps) - 1
        if end > start or (not (first or last) and cut_to - cut_from > LONGEST_CUT):
            return False
        # A condition of a clause before the first one kept belongs to that clause.
        clause = theirs[cut_to].clause if first and cut_to < len(theirs) else None
        if any(_guards(word) for word in theirs[cut_from:cut_to] if clause in (None, word.clause)):
            return False
    return bool(own)


def _guards(word: Word) -> bool:
    return word.text in GUARDS or negates(word.text)


def _tells(word: Word) -> bool:
    return bool(word.stem) or word.text[0].isdigit() or _guards(word)


def _words(text: str) -> Iterator[Word]:
    clause, seen, denied = 0, 0, -9
    for match in TOKEN.finditer(text.replace("’", "'")):
        shown = match[0]
        word = shown.lower()
        if word in ",;:.()!?—" or word in CLAUSE:
            clause, denied = clause + 1, -9
            if word not in CLAUSE:
                continue
        figure = word[0].isdigit()
        content = bool(terms(word)) and not figure and word not in EMPTY
        if word in AGAINST or word.endswith("n't"):
            denied = seen
        elif content:
            seen += 1
        named = not figure and (
            (match.start() > 0 and shown[0].isupper()) or any(sign.isupper() or sign.isdigit() for sign in shown[1:])
        )
        negated = content and word not in AGAINST and seen - denied <= 2
        yield Word(word, "" if figure or word in FILLER else stem_of(word), content, clause, negated, named)


def _figures(text: str) -> Iterator[Figure]:
    found = list(FIGURE.finditer(text))
    place = 0
    while place < len(found):
        figure, place = _figure(text, found, place)
        if figure:
            yield figure


def _figure(text: str, found: Sequence[re.Match[str]], place: int) -> tuple[Figure | None, int]:
    """The figure that starts at a match, if one does, and the match after it."""

    def next_word() -> str:
        """The word after this one, when nothing but a blank or a hyphen stands between."""
        if place + 1 >= len(found) or text[found[place].end() : found[place + 1].start()].strip(" -`~"):
            return ""
        return (found[place + 1]["word"] or "").lower()

    digits, word = found[place]["digits"], (found[place]["word"] or "").lower()
    kind = "count"
    if digits:
        value = float(digits.replace(",", ""))
        suffix = found[place]["suffix"].lower()
        value, kind = (value / 100, "share") if suffix == "%" else (value * SCALES.get(suffix, 1.0), kind)
    elif word in PARTS:
        before = (found[place - 1]["word"] or "") if place else ""
        is_order = word in ORDINAL and before in {"the", "every", "its", "rank"}
        return (None if is_order else Figure(PARTS[word], "share")), place + 1
    elif word in TIMES:
        return Figure(TIMES[word], kind), place + 1
    elif word in COUNTS or (word in SCALES and len(word) > 2):
        value = COUNTS.get(word) or SCALES.get(word, 0.0)
        if value >= 20 and 0 < COUNTS.get(next_word(), 0) < 10:
            value += COUNTS[next_word()]
            place += 1
    else:
        return None, place + 1
    while len(next_word()) > 2 and next_word() in SCALES:
        value *= SCALES[next_word()]
        place += 1
    if next_word() == "percent":
        return Figure(value / 100, "share"), place + 2
    if next_word() in PARTS and not digits:
        return Figure(value * PARTS[next_word()], "share"), place + 2
    end = found[place].end()
    ratio = RATIO.match(text, end)
    whole = _count(ratio[1]) if ratio else 0.0
    if ratio and whole > value > 0:
        after = next((i for i in range(place + 1, len(found)) if found[i].start() >= ratio.start(1)), place)
        return Figure(value / whole, "share", (value, whole)), after + 1
    # "one" is mostly no figure: one of them, one way.
    return (Figure(value, kind) if digits or value != 1 else None), place + 1


def _count(word: str) -> float:
    return float(word.replace(",", "")) if word[0].isdigit() else COUNTS.get(word.lower(), 0.0)
