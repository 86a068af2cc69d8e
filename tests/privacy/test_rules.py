"""What reads like a name, a date or an identifier, and what does not."""

from __future__ import annotations

import datetime
import string
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.privacy.dates import MONTHS
from curate.privacy.names import ordinary
from curate.privacy.rules import find_personal
from curate.privacy.text import fold, plain, redact


def found(text: str) -> list[tuple[str, str]]:
    """Kind and words of what is found in a text."""
    text = plain(text)
    return [(one.kind, text[one.start : one.end]) for one in find_personal(text)]


DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31))
ENGLISH = "January February March April May June July August September October November December"
MONTH_NAMES = {
    "en": ENGLISH,
    "short": " ".join(name[:3] for name in ENGLISH.split()),
    "large": " ".join(name[:3].upper() for name in ENGLISH.split()),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "tr": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
NUMERIC = (
    "{d:02}.{m:02}.{y}",
    "{d}.{m}.{y}",
    "{d:02}/{m:02}/{y}",
    "{m:02}/{d:02}/{y}",
    "{d:02}-{m:02}-{y}",
    "{d:02}.{m:02}.{s:02}",
    "{m:02}/{d:02}/{s:02}",
    "{d:02} {m:02} {y}",
    "{d:02}. {m:02}. {y}",
    "{y}-{m:02}-{d:02}",
    "{y}/{m}/{d}",
    "{y}.{m:02}.{d:02}",
    "{y}{m:02}{d:02}",
    "{y}年{m}月{d}日",
    "{y}-{m:02}-{d:02} 12:33:10",
    "{y}-{m:02}-{d:02}T12:33:10",
    "{y}-{m:02}-{d:02}12:33:10",
    "{d:02}/{m:02}/{y}12:33",
)
NAMED = (
    "{d} {name} {y}",
    "{d}. {name} {y}",
    "{d:02}-{name}-{y}",
    "{d:02}{name}{y}",
    "{d} de {name} de {y}",
    "{name} {d}, {y}",
    "{name} {d} {y}",
    "{name}. {d}, {y}",
    "{d}th of {name} {y}",
    "{y} {name} {d}",
    "{name} {y}",
    "{d:02}-{name}-{s:02}",
    "{d:02} {name} '{s:02}",
)
AROUND = st.sampled_from([("", ""), ("Recorded ", ""), ("(", ")"), ("Date: ", " 10:15"), ("Case of ", ", OR 3")])


@given(DAYS, st.sampled_from(NUMERIC), AROUND)
def test_dates_in_numbers_are_found(day, form, around):
    text = form.format(d=day.day, m=day.month, y=day.year, s=day.year % 100)
    (kind, words), *more = found(around[0] + text + around[1])
    assert kind == "date" and not more
    assert words.startswith(plain(text).replace("T12:33:10", "").replace("12:33:10", "").replace("12:33", "").rstrip())


@given(DAYS, st.sampled_from(NAMED), st.sampled_from(sorted(MONTH_NAMES)), AROUND)
@example(datetime.date(2000, 12, 1), "{d:02} {name} '{s:02}", "short", ("", ""))
def test_dates_with_names_of_months_are_found(day, form, language, around):
    name = MONTH_NAMES[language].split()[day.month - 1]
    text = form.format(d=day.day, name=name, y=day.year, s=day.year % 100)
    kinds = [kind for kind, _ in found(around[0] + text + around[1])]
    assert kinds == ["date"]


@given(DAYS, st.sampled_from(sorted(MONTH_NAMES)))
def test_months_are_known_in_any_case_and_without_accents(day, language):
    name = MONTH_NAMES[language].split()[day.month - 1]
    assert {fold(name), fold(name.upper())} <= MONTHS
    assert found(f"{day.day} {fold(name)} {day.year}")[0][0] == "date"


def test_confused_digits_and_full_width_digits_are_read():
    assert found("l7/O5/2023") == [("date", "17/05/2023")]
    assert found("２０２３／０５／１７") == [("date", "2023/05/17")]


@given(
    st.times(), st.sampled_from(["{:%H:%M:%S}", "{:%H:%M}", "00:{:%M:%S}:12", "T {:%H:%M:%S}.040", "{:%M:%S} / 10:00"])
)
def test_times_are_no_dates(moment, form):
    assert found(form.format(moment)) == []


@given(st.integers(0, 999), st.integers(1, 99))
def test_counts_and_measures_are_nothing(a, b):
    for form in (
        "Step {b} of 8",
        "{a}/{b}",
        "{a} mmHg",
        "{a}.{b} L/min",
        "Case {b}",
        "{a} x {b} mm",
        "Bipolar {a} W",
        "v{b}.2.1",
    ):
        assert found(form.format(a=a, b=b)) == [], form


@pytest.mark.parametrize(
    "text",
    [
        "Calot triangle",
        "Calot's Triangle",
        "Critical View of Safety",
        "Karl Storz",
        "KARL STORZ - ENDOSKOPE",
        "Richard Wolf",
        "Smith & Nephew",
        "Johnson & Johnson",
        "da Vinci Xi",
        "OLYMPUS EVIS EXERA III",
        "Cystic artery, cystic duct",
        "Liver, Gallbladder",
        "Left, Right",
        "Cut, Coag",
        "Laparoscopic Cholecystectomy",
        "Surgery MD",
        "Patient positioning: supine",
        "Position: supine",
        "Clip and divide the cystic artery",
        "1 Prograsp 2 Camera 30 3 Bipolar 4 Scissors",
        "Hartmann's pouch",
        "Step 3 of 8",
        "00:12:33",
        "1920x1080 60p",
        "1,000,000",
        "1:1000000",
        "100 200 300 400",
        "192.168.1.12",
        "Version 2.10",
        "Figure 3a",
        "www.surgeryvideos.example",
        "Suture by hand",
        "Followed by stapling",
        "Drain",
        "",
    ],
)
def test_words_of_surgery_and_of_its_makers_are_nothing(text):
    assert found(text) == []
    assert found(text.upper()) == []


WORDS = (
    st.text(string.ascii_lowercase, min_size=3, max_size=10).map(str.title).filter(lambda w: fold(w) not in ordinary())
)
PARTICLES = {
    "van",
    "von",
    "del",
    "den",
    "der",
    "des",
    "dos",
    "das",
    "zum",
    "zur",
    "ter",
    "ten",
    "bin",
    "ibn",
    "abu",
    "vom",
}
NAMES = WORDS.filter(
    lambda w: fold(w) not in PARTICLES | {"med", "dent", "univ", "rer", "nat", "ssa", "prof", "assoc", "habil"}
)


@given(
    NAMES,
    NAMES,
    st.sampled_from(
        [
            "Dr. {f} {l}",
            "Dr {l}",
            "DR. {f} {l}",
            "Prof. {f} {l}",
            "Prof. Dr. med. {f} {l}",
            "Mr. {l}",
            "Mrs {f} {l}",
            "Ms. {l}",
            "Herr {l}",
            "Frau {l}",
            "Mme {l}",
            "Dr.{f} {l}",
            "Dr{f} {l}",
            "Patient: {f} {l}",
            "Patient Name: {l}, {f}",
            "Pat.: {l}",
            "Name: {f} {l}",
            "NAME: {l}",
            "Surgeon: {f} {l}",
            "Chirurg: {l}",
            "Nom: {l}",
            "presented by {f} {l}",
            "By {f} {l}",
            "{f} {l}, MD",
            "{f} {l} M.D.",
            "{f} {l}, PhD",
            "{f} {l} MD, FACS",
            "{f} A. {l}, FRCS",
            "{l}, {f}",
            "{l}, {f} J.",
            "{l}^{f}",
        ]
    ),
)
def test_names_are_found(first, last, form):
    text = form.format(f=first, l=last)
    (kind, words), *more = found(text)
    assert (kind, more) == ("name", [])
    assert last in words or (fold(last) in {fold(word) for word in words.split()})


def test_names_of_other_scripts_and_particles_are_found():
    assert found("姓名：张三") == [("name", "姓名:张三")]
    ((kind, words),) = found("Хирург: Иванов И.И.")
    assert kind == "name" and words.startswith("Хирург: Иванов")
    assert found("Prof. Hans von der Heide") == [("name", "Prof. Hans von der Heide")]
    assert found("Müller, Jürgen 12.03.1956") == [("name", "Müller, Jürgen"), ("date", "12.03.1956")]


@pytest.mark.parametrize(
    "text", ["Dr. Green", "Prof. Karl Braun", "Dr.med.univ. Huber", "Pt: Johnson, Mary", "Name: WHITE"]
)
def test_surnames_that_are_also_words_are_names_where_one_is_announced(text):
    assert found(text) == [("name", text)]


@pytest.mark.parametrize(
    "text", ["Indocyanine Green", "White light", "KARL STORZ", "Johnson & Johnson", "Surgeon: white light"]
)
def test_they_are_words_elsewhere(text):
    assert found(text) == []


@given(
    st.integers(10_000, 99_999_999),
    st.sampled_from(
        [
            "MRN {}",
            "MRN: {}",
            "Patient ID: {}",
            "PatientID {}",
            "Pat.-Nr. {}",
            "ID: A{}",
            "Case No. {}",
            "Case number: {}",
            "Accession No: {}",
            "ACC# {}",
            "Hosp. No {}",
            "Fallnummer {}",
            "UHID:{}",
            "NHS No. {}",
            "Study ID {}",
            "ID {}-B",
        ]
    ),
)
def test_labelled_numbers_are_identifiers(number, form):
    text = form.format(number)
    ((kind, words),) = found(text)
    assert kind == "identifier" and str(number) in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("write to jane.doe@hospital.example", "jane.doe@hospital.example"),
        ("+49 171 2345678", "+49 171 2345678"),
        ("Tel. 0171-234567", "Tel. 0171-234567"),
        ("(555) 123-4567", "(555) 123-4567"),
        ("555-123-4567", "555-123-4567"),
        ("078-05-1120", "078-05-1120"),
        ("1.2.840.113619.2.55.3", "1.2.840.113619.2.55.3"),
        ("00482913", "00482913"),
        ("P-00482913", "P-00482913"),
    ],
)
def test_forms_that_speak_for_themselves_are_identifiers(text, words):
    assert found(text) == [("identifier", words)]


def test_a_line_of_an_endoscopy_system_is_taken_apart():
    assert found("Smith, John DOB: 03/11/1964 MRN 00482913 12:33:10") == [
        ("name", "Smith, John"),
        ("date", "DOB: 03/11/1964"),
        ("identifier", "MRN 00482913"),
    ]


@given(st.text(max_size=80))
def test_any_text_gives_stretches_that_lie_in_it_side_by_side(text):
    text = plain(text)
    end = 0
    for one in find_personal(text):
        assert end <= one.start < one.end <= len(text)
        end = one.end


@given(st.text(max_size=60))
def test_places_survive_folding(text):
    assert len(fold(text)) == len(text)


@given(st.text(max_size=60))
def test_the_shape_tells_no_letter_and_no_digit(text):
    shape = redact(text)
    assert len(shape) == len(text)
    assert all(c in "Aa9?" or (c.isascii() and not c.isalnum()) for c in shape)


def test_the_shape_keeps_length_case_and_signs():
    assert redact("Smith, Éva 12.03.1956") == "Aaaaa, Aaa 99.99.9999"


@pytest.mark.parametrize(
    "text", ["1." * 200, "Dr " * 130, "A, " * 130, "+1 (" * 100, "de " * 130, "1 de " * 80, "a@" * 200, "( 1" * 130]
)
def test_odd_text_takes_no_time(text):
    begin = time.process_time()
    find_personal(plain(text))
    assert time.process_time() - begin < 0.5
