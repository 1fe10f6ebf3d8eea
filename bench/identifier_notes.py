"""Synthetic notes with identifiers whose places are known, for `bench/identifiers.py`.

The templates were written before the recognisers, and no pattern was chosen on them. `[[slot]]` is an identifier; what
stands around it holds what looks like one and is none: eponyms, scores, doses, "3/12" for three months. People, places
and numbers are made up; telephone numbers are of ranges that are kept for fiction.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    """
    Agnes Amara Anil Beatriz Bronwen Callum Chidi Dafydd Deepa Edith Eilidh Emeka Fatima Femi Gareth Giulia
    Grace Hannah Harold Hiroshi Ibrahim Ingrid Iris Jakub Janet Jesús José Karen Kofi Kwame Leila Liam Magda Mai
    Marcus Mei Miguel Mohammed Nadia Niamh Nkechi Olena Oluwaseun Patrick Priya Rosa Ruth Sanjay Seán Siobhan
    Sunita Tariq Théo Tomasz Ursula Violet Wanjiru Xin Yusuf Zoë Will May Mark Hope
    """
)
LAST = _words(
    """
    Abernathy Achebe Adeyemi Ahmed Aldridge Baptiste Begum Bianchi Blackwood Brennan Brown Castellanos Chen
    Clarke Cooper Cox Dąbrowski D'Souza De-Souza Desai Diallo Eze Fairweather Ferreira Fitzgerald García Gill
    Gupta Hargreaves Hill Hussain Ito Jankowska Johansson Jones Kaur Khan Kowalczyk Lambert Lee MacDonald Mbeki
    McAllister Moreau Müller Nakamura Ndlovu Nguyen O'Connor O'Malley Okafor Okonkwo Osei Patel Petrov Price
    Quigley Rao Reyes Rossi Ryan Schmidt Shah Sharma Smith Sørensen Stone Tanaka Taylor Thompson-Reid Trần
    Turner Ueda Vance Walker White Wójcik Wright Yilmaz Young Zhang
    """
)
TOWNS = _words(
    """
    Ashby Barrowford Brindleton Crossgate Eastwell Fernhill Hartsmere Kingsdown Linwood Marlow Norbury Oakham
    """
)
STREETS = _words(
    """
    Acacia Bramble Chapel Elm Foundry Glebe Harbour Mill Orchard Priory Station Victoria
    """
)
WAYS = _words(
    """
    Road Street Avenue Lane Close Drive Gardens Crescent
    """
)
SAINTS = _words(
    """
    Anne Bartholomew Catherine David Helen Luke Mary Thomas
    """
)
WARDS = ("Ward 7B", "Ward 12", "Nightingale Ward", "Ward C3", "Cedar Ward", "ward 4", "Bevan Unit")
MONTHS = _words(
    """
    January February March April May June July August September October November December
    """
)
DAYS = _words(
    """
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday
    """
)
_SLOT = re.compile(r"\[\[([a-z_]+)(?:\.([a-z_]+))?\]\]")


@dataclass(frozen=True, slots=True)
class Gold:
    """An identifier of a note: half-open in code points, with its kind."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class SeededNote:
    text: str
    gold: tuple[Gold, ...]


@dataclass
class _Writer:
    """One note: its people, and its days around one."""

    random: random.Random
    people: dict[str, tuple[str, str]] = field(default_factory=dict)

    def person(self, who: str) -> tuple[str, str]:
        if who not in self.people:
            self.people[who] = (self.random.choice(FIRST), self.random.choice(LAST))
        return self.people[who]

    def day(self) -> date:
        return date(2019, 1, 1) + timedelta(days=self.random.randrange(2200))

    def digits(self, n: int) -> str:
        return str(self.random.randrange(10 ** (n - 1), 10**n))

    def slot(self, name: str, part: str) -> tuple[str, str]:
        """The slot's kind and words."""
        if part:
            return "name", self.named(name, part)
        kind, make = _SLOTS[name]
        return kind, make(self)

    def named(self, who: str, part: str) -> str:
        first, last = self.person(who)
        return {
            "full": f"{first} {last}",
            "first": first,
            "last": last,
            "reversed": f"{last.upper()}, {first}",
            "upper": f"{first} {last}".upper(),
            "initial": f"{first[0]} {last}",
            "dotted": f"{first[0]}. {last}",
            "initials": f"{first[0]}{last[0]}",
            "points": f"{first[0]}.{last[0]}.",
        }[part]


def _date(style: str) -> Callable[[_Writer], str]:
    def write(writer: _Writer) -> str:
        day = writer.day()
        number, month = day.day, MONTHS[day.month - 1]
        ending = "th" if 4 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        weekday = DAYS[day.weekday()]
        forms = {
            "numeric": (
                f"{day:%d/%m/%Y}", f"{day:%d.%m.%Y}", f"{day:%d-%m-%y}", f"{day:%Y-%m-%d}", f"{number}/{day.month}/{day:%y}",
                f"{day.month}/{number}/{day.year}", f"{day:%d/%m/%y}",
            ),
            "words": (
                f"{number} {month} {day.year}", f"{number}{ending} {month[:3]} {day.year}", f"{month} {number}, {day.year}",
                f"{number}-{month[:3]}-{day.year}", f"{month[:3]} {number}{ending}, {day.year}", f"{number}{ending} of {month}",
                f"{number:02d} {month[:3].upper()} {day:%y}", f"{number} {month[:3]}", f"{month} {number}{ending}",
            ),
            "short": (f"{number}/{day.month}", f"{number:02d}/{day.month:02d}"),
            "weekday": (
                f"{weekday} {number} {month}", f"{weekday[:3]} {day:%d/%m}", f"{weekday}, {month} {number}",
                f"{weekday[:3]} {number}{ending} {month[:3]}",
            ),
        }  # fmt: skip
        return writer.random.choice(forms[style])

    return write


def _nhs(writer: _Writer) -> str:
    while True:
        nine = writer.digits(9)
        check = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            whole = nine + str(check % 11)
            return writer.random.choice(
                (f"{whole[:3]} {whole[3:6]} {whole[6:]}", whole, f"{whole[:3]}-{whole[3:6]}-{whole[6:]}")
            )


def _letters(writer: _Writer, n: int) -> str:
    return "".join(writer.random.choice("ABCDEFGHJKLMNPRSTWXYZ") for _ in range(n))


_SLOTS: dict[str, tuple[str, Callable[[_Writer], str]]] = {
    "date": ("date", _date("numeric")),
    "day": ("date", _date("words")),
    "short": ("date", _date("short")),
    "weekday": ("date", _date("weekday")),
    "age": ("age", lambda w: str(w.random.randrange(90, 106))),
    "hospital": ("location", lambda w: w.random.choice((
        f"St {w.random.choice(SAINTS)}'s Hospital", f"{w.random.choice(TOWNS)} General Hospital",
        f"{w.random.choice(TOWNS)} Royal Infirmary", f"University Hospital {w.random.choice(TOWNS)}",
        f"{w.random.choice(TOWNS)} Medical Center"))),
    "surgery": ("location", lambda w: w.random.choice((
        f"{w.random.choice(TOWNS)} Surgery", f"{w.random.choice(STREETS)} Lane Medical Practice",
        f"The {w.random.choice(STREETS)} Clinic", f"{w.random.choice(TOWNS)} Health Centre"))),
    "ward": ("location", lambda w: w.random.choice(WARDS)),
    "home": ("location", lambda w: w.random.choice((
        f"{w.random.choice(SAINTS)} House Care Home", f"{w.random.choice(TOWNS)} Lodge Nursing Home"))),
    "street": ("location", lambda w: w.random.choice((
        f"{w.random.randrange(1, 240)} {w.random.choice(STREETS)} {w.random.choice(WAYS)}",
        f"Flat {w.random.randrange(1, 30)}, {w.random.randrange(1, 90)} {w.random.choice(STREETS)} {w.random.choice(WAYS)}",
        f"{w.random.randrange(100, 9000)} {w.random.choice(STREETS)} {w.random.choice(('Ave', 'St', 'Blvd'))}, Apt {w.random.randrange(1, 40)}"))),
    "town": ("location", lambda w: w.random.choice(TOWNS)),
    "postcode": ("location", lambda w: f"{_letters(w, 2)}{w.random.randrange(1, 20)} {w.random.randrange(1, 10)}{w.random.choice('ABDEFGHJLNPQRSTUWXYZ')}{w.random.choice('ABDEFGHJLNPQRSTUWXYZ')}"),
    "zip": ("location", lambda w: f"{w.random.choice(('IL', 'MA', 'OR', 'TX'))} {w.digits(5)}"),
    "phone": ("contact", lambda w: w.random.choice((
        f"07700 900{w.digits(3)}", f"01632 960{w.digits(3)}", f"+44 7700 900 {w.digits(3)}", f"(01632) 960 {w.digits(3)}"))),
    "phone_us": ("contact", lambda w: w.random.choice((
        f"(312) 555-01{w.digits(2)}", f"503-555-01{w.digits(2)}", f"617.555.01{w.digits(2)}"))),
    "bleep": ("contact", lambda w: w.digits(4)),
    "email": ("contact", lambda w: f"{w.random.choice(FIRST[:12]).lower()}.{w.random.choice(LAST[:12]).lower()}@example.{w.random.choice(('org', 'com', 'nhs.uk'))}"),
    "url": ("contact", lambda w: w.random.choice(("www.brindleton-carers.org.uk", "https://portal.example.org/p/88213"))),
    "mrn": ("number", lambda w: w.random.choice((w.digits(7), w.digits(8), f"{_letters(w, 1)}{w.digits(6)}", f"{w.digits(3)}-{w.digits(4)}"))),
    "nhs": ("number", _nhs),
    "ssn": ("number", lambda w: f"{w.random.randrange(101, 600)}-{w.random.randrange(11, 90)}-{w.digits(4)}"),
    "account": ("number", lambda w: w.digits(9)),
    "licence": ("number", lambda w: f"{w.digits(7)}"),
    "serial": ("number", lambda w: f"{_letters(w, 3)}{w.digits(6)}{_letters(w, 1)}"),
    "accession": ("number", lambda w: f"{w.random.choice(('S', 'H', 'RAD'))}{w.random.randrange(19, 25)}-{w.digits(5)}"),
}  # fmt: skip


def write_note(seed: int) -> SeededNote:
    """The note of that number: always the same."""
    writer = _Writer(random.Random(f"identifiers {seed}"))
    template = TEMPLATES[seed % len(TEMPLATES)]
    pieces: list[str] = []
    gold: list[Gold] = []
    place = done = 0
    for slot in _SLOT.finditer(template):
        before = template[done : slot.start()]
        kind, words = writer.slot(slot[1], slot[2] or "")
        pieces += [before, words]
        place += len(before)
        gold.append(Gold(place, place + len(words), kind))
        place += len(words)
        done = slot.end()
    pieces.append(template[done:])
    return SeededNote("".join(pieces), tuple(gold))


TEMPLATES = (
    """[[hospital]]
Department of Cardiology
Consultant: Dr [[c.full]]

Dictated: [[date]]   Typed: [[date]]

Dr [[gp.initial]]
[[surgery]]
[[street]]
[[town]] [[postcode]]

Dear Dr [[gp.last]],

Re: [[p.full]], DOB [[date]], NHS No [[nhs]]
[[street]], [[town]], [[postcode]]

Diagnoses: 1. Paroxysmal AF, CHA2DS2-VASc 3. 2. Previous Barrett's oesophagus. 3. Raynaud's.

I reviewed this pleasant 67-year-old retired teacher on [[day]]. [[p.first]] has had two further episodes of palpitations since she was last seen 3/12 ago, each lasting 20-30 min. No syncope. BP 128/76, pulse 72 regular. The 12-lead ECG shows sinus rhythm, QTc 432 ms by Bazett's formula. Echo 2/7 ago: LVEF 55-60 %.

I have asked Mrs [[p.last]] to continue apixaban 5 mg bd and increased bisoprolol to 3.75 mg. We will see her again in 6/12. Her husband [[n.first]] can be reached on [[phone]].

Yours sincerely,

[[c.full]]
Consultant Cardiologist, GMC [[licence]]

cc: [[p.full]]
""",
    """ED TRIAGE  [[date]] 14:20
Name: [[p.reversed]]   MRN: [[mrn]]   Sex F   Age [[age]]
Address: [[street]], [[town]], [[zip]]
Phone: [[phone_us]]   Emergency contact: [[n.full]] (daughter) [[phone_us]]
PCP: [[gp.full]], MD - [[surgery]]

CC: fall, hip pain 8/10
HPI: [[age]] yo F BIBA from [[home]] after unwitnessed fall ~06:15. Staff report she was last seen well at 05:30. On warfarin, INR 2.6 on [[short]]. Denies LOC. Hx Parkinson disease, Paget's disease of bone, Colles fracture R wrist 2011.
VS: T 36.4 P 88 R 18 BP 142/80 SpO2 96% RA
Exam: L leg short, externally rotated. Homans sign negative. GCS 15/15. Glasgow Coma Scale unchanged.
A/P: # L hip - XR, ortho consult (Dr. [[o.last]] paged 07:02). Foley placed. CT head per Canadian CT Head Rule. Discussed with [[n.first]], who agrees.
Electronically signed by [[c.full]], MD on [[date]] at 08:11
""",
    """Nursing note - [[ward]], [[weekday]]
Pt transferred from ITU 02:30. Handover from S/N [[s.full]]. Alert, orientated, NEWS 2. Mr [[p.last]] states pain 4/10 at rest, 7/10 on moving. PCA in situ, 12 mL used. Waterlow 14, MUST 1, Braden 17. Bowels not opened 3/7.
Wife ([[n.full]]) phoned 09:40, updated. She would like Dr [[c.last]] to ring her on [[phone]] after the round. Social worker [[w.first]] [[w.last]] to visit Thursday.
Dressing changed, Steri-Strips intact. Robinson drain 40 mL. TED stockings on. Seen by physio ([[y.full]]), sat out 20 min.
Plan: bloods mane, senna 2 nocte, review Robinson drain.
RN [[s.initials]]
""",
    """DISCHARGE SUMMARY
Patient: [[p.full]]
Date of birth: [[day]]
Hospital number: [[mrn]]
Admitted: [[date]]  Discharged: [[date]]
Ward: [[ward]]   Consultant: Mr [[c.initial]]

Presenting complaint: 4/52 of jaundice and weight loss.
Investigations: bilirubin 212 (0-21), ALP 540 (30-130), CA 19-9 1,240. CT ([[short]]): double duct sign, no ascites. ERCP on [[day]] by Dr [[e.full]]: sphincterotomy, 10 Fr plastic stent. Courvoisier's sign positive. Child-Pugh A.
Discussed at the HPB MDT at [[hospital]] on [[weekday]]: for Whipple's procedure.
Medication on discharge: Creon 25,000 units x3 with meals, omeprazole 20 mg od, codeine 30 mg prn (28 tabs).
Follow up: Mr [[c.last]]'s clinic, 2/52. GP please check LFTs on [[day]].
Completed by: [[f.full]] (FY1), bleep [[bleep]]
""",
    """PROGRESS NOTE
[[p.last]], [[p.first]] | MRN [[mrn]] | HD#3 | [[date]]
S: Slept poorly. "My sister [[n.first]] is coming from [[town]] on [[weekday]]." Pain 3/10.
O: Tmax 37.9, BP 110-124/62-70, I/O 2100/1850. Wells score 4.5. D-dimer 1,860 ng/mL (<500).
Labs [[short]]: Na 136, K 3.9, Cr 1.1, WBC 12.4, Hgb 10.2, Plt 210.
A: 54M w/ Crohn's disease (Montreal A2 L3 B2), Hartmann's procedure 2018, now RLL PE. Mallampati II. On heparin gtt 18 units/kg/h.
P: transition to rivaroxaban 15 mg BID x 21 d. GI (Dr [[g.full]]) following. Case d/w attending Dr. [[c.last]]. Dispo: home w/ services, contact [[n.full]] [[phone_us]].
[[r.full]] PGY-2, pager [[bleep]]
Attending attestation: I saw and examined the patient with Dr. [[r.last]] and agree. -[[c.points]]
""",
    """OPERATION NOTE
Date: [[day]]    Theatre 4, [[hospital]]
Surgeon: Miss [[c.full]]   Assistant: [[a.full]] (ST5)   Anaesthetist: Dr [[z.full]]
Patient: [[p.upper]]  Hosp no: [[mrn]]  NHS: [[nhs]]
Procedure: Right total hip replacement (Hardinge approach)
Implant: cemented Exeter stem, size 1 offset 44, S/N [[serial]]; cup lot [[serial]]
Findings: Kellgren-Lawrence grade 4, Trendelenburg gait pre-op.
Closure: Vicryl 1, 2-0, Monocryl 3-0. Blood loss 350 mL. Thompson test n/a. Trial reduction stable, Shenton's line restored.
Post-op: clexane 40 mg 28/7, mobilise FWB, XR check on [[short]], wound check at [[surgery]] at 2/52. Miss [[c.last]] to review on [[weekday]].
""",
    """Telephone encounter [[date]] 11:05
Caller: [[n.full]] (mother of [[p.full]], 6 y). Call back: [[phone]]; email [[email]].
C/o fever 39.1 x 2/7, barking cough. Westley score 2. No stridor at rest. Drinking. Had Kawasaki disease in 2019, seen by Prof [[k.last]] at [[hospital]].
Advice: paracetamol 240 mg/5 mL 7.5 mL 6-hourly, safety net given, leaflet at [[url]]. Call again if worse. Mum happy with plan. [[p.first]]'s brother [[b.first]] had croup last week.
Next of kin address confirmed: [[street]], [[town]]. Named GP: Dr [[gp.last]].
Signed [[c.initials]]
""",
    """RADIOLOGY REPORT
Accession [[accession]]    Exam date: [[date]]
Patient ID [[mrn]]   Name [[p.last]]^[[p.first]]
Referring: [[c.full]], NP
EXAM: MRI brain with and without gadolinium (Gadavist 7.5 mL)
HISTORY: 38F, ?MS. Lhermitte's phenomenon. Compare [[day]].
FINDINGS: Multiple T2/FLAIR lesions incl. Dawson's fingers. No Chiari malformation. Virchow-Robin spaces prominent. Circle of Willis patent. Largest lesion 12 x 8 mm (was 9 x 7).
IMPRESSION: Meets 2017 McDonald criteria for dissemination in space.
Dictated by: [[d.full]], MD. Transcribed [[short]] 16:42 by [[t.initials]]. Critical result called to Dr [[c.last]] at [[phone_us]].
""",
    """[[surgery]] - consultation [[day]], Dr [[gp.full]]
Reason: medication review, pt [[p.full]] ([[date]])
T2DM since 1998, HbA1c 58. Charcot foot R. Dupuytren's L hand. QRISK3 24%. BMI 31.2. Lives with son [[n.first]] at [[street]]. Neighbour Mrs [[b.last]] helps w/ shopping. Cleaner comes Tuesdays.
Exam: BP 138/84, Tinel's -ve, Phalen's +ve. Snellen 6/9 both eyes. Foot pulses present, 10 g monofilament 8/10.
Plan: gliclazide up to 80 mg bd, statin, refer to Mr [[h.last]] (hand surgery, [[hospital]]). Bloods 3/12, review in May. Sick note from [[short]] for 2 weeks. Benefits form: NI/account [[account]].
""",
    """PSYCHIATRY - MENTAL STATE
Interviewed [[p.full]] on [[ward]] on the [[day]] with CPN [[s.full]].
[[p.first]] is a 45-year-old man, unemployed, from [[town]]. He says "the people at number 9 put things in the water". Sectioned [[date]] (S2). Key worker: [[w.full]], tel [[phone]]. Brother [[b.full]] is nearest relative; [[b.first]] was informed.
MSE: poor eye contact, pressured speech. PHQ-9 18/27, GAD-7 12/21, YMRS 22. MoCA 24/30, clock drawing 3/3. No Capgras. Lithium level 0.7 (0.4-1.0).
Imp: bipolar I, manic. Risk to others low. Mr [[p.last]] agrees to stay.
Plan: olanzapine 10 mg nocte, ECG, review by Dr [[c.full]] [[weekday]]; tribunal [[day]]. Copy to [[gp.full]] and [[email]].
""",
    """Hospital at Home visit
Visit: [[weekday]] [[short]], 10:15. Visited by [[s.full]], advanced practitioner, and student [[t.first]].
[[p.full]], aged [[age]], lives alone at [[street]] [[postcode]]. Key safe. Cat called Whisky.
COPD exacerbation day 3, FEV1 0.9 L (38 %), MRC 4, Rockwood 6. SpO2 91 % on 1 L, RR 22, HR 96, BP 132/70. Anthonisen type 1. Sputum green. Prednisolone 30 mg 5/7, doxycycline 100 mg.
Oxygen concentrator serial [[serial]], pendant alarm [[account]].
D/w Dr [[c.last]] (consultant on call): continue, repeat CRP [[weekday]]. NOK [[n.full]] in [[town]], [[phone]], keen for updates. DNACPR in place, signed [[date]] by Dr [[z.initial]].
""",
    """SOCIAL WORK ASSESSMENT
Client: [[p.last]], [[p.first]]; DOB [[date]]; SSN [[ssn]]; Medicaid ID [[account]]
Referral from [[r.full]] RN, [[hospital]], [[ward]].
Ms. [[p.last]] is a 36 y.o. G3P2 at 31+4 wks. She resides at [[street]], [[town]], [[zip]] with her partner, [[n.full]], and two children, [[k.first]] (4) and [[l.first]] (7). Employed at a bakery until June. EPDS 14/30. Apgar scores of the last child 8 and 9. Hx HELLP 2020.
Supports: mother-in-law [[m.full]], cell [[phone_us]]. Landlord Mr. [[b.last]]. Website given: [[url]].
Plan: WIC, home nurse visit on [[day]], f/u call [[weekday]]. [[w.full]], LCSW ([[email]])
""",
    """PATHOLOGY
Specimen no. [[accession]]   Received [[date]]   Reported [[date]]
[[p.upper]]  Unit no [[mrn]]  D.O.B. [[date]]  Cons: [[c.last]]
CLINICAL: 71M, PSA 9.4, DRE T2a. Previous biopsy [[day]] benign.
MACRO: 12 cores, 8-17 mm. Cassettes A1-A6.
MICRO: Adenocarcinoma, Gleason 3+4=7 (ISUP 2), 5/12 cores, max 6 mm. Perineural invasion present. No Paneth cell change. Ki-67 8 %.
Reported by [[d.full]] & [[e.full]]; second opinion Dr [[f.last]], [[hospital]].
""",
    """Clinic letter, typed [[day]]

Dear [[p.first]],

Thank you for coming to see Professor [[c.full]] and me on [[weekday]]. We talked about your ulcerative colitis. The Mayo score is 5, calprotectin 640. You had a Mantoux test in March. We agreed to start azathioprine 100 mg; your TPMT is normal. Blood tests are needed weekly for 4 weeks and then every 3 months. Vaccinations at [[surgery]].

If you feel unwell, ring the IBD line on [[phone]] (Monday to Friday, 9-5), or write to [[email]]. Nurse [[s.first]] will call you on [[short]].

With kind regards
[[r.full]]
Specialty registrar to Professor [[c.last]]
[[hospital]], [[town]]
""",
)
