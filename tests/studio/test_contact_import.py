"""Contacts from a file: looked at first, written once, and taken back."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from audit.models import Activity
from operations.maintenance import sweeps
from studio import columns
from studio.models import Contact, ContactImport
from studio.services import contacts, imports
from tests import processes
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of
from tests.studio.trade import make_contact, make_project, studio_of

pytestmark = pytest.mark.django_db
FILE = """Nom complet;Adresse e-mail;Téléphone;Société;Ville;Pays;N° client
Jeanne Faure;Jeanne@Faure.example;+33 6 12 34 56 78;;Lyon;France;7
;compta@halden.example;;Halden & Co;Bruxelles;Belgique;8
Paul Blanc;pas une adresse;appelez-moi;;Gand;be;9
Claire Faure;claire@faure.example;;;;;10
Jeanne encore;jeanne@faure.example;;;;;11
;;;;;;12
"""


@pytest.fixture
def anna(db):
    return make_user(name="Anna", language="fr")


def send(web, text, encoding="utf-8"):
    return web.post(reverse("studio:contact_import"), {"file": SimpleUploadedFile("contacts.csv", text.encode(encoding))})


def test_a_file_is_previewed_imported_once_and_undone(anna):
    studio, web = studio_of(anna), browser_of(anna)
    known = make_contact(studio)
    preview = send(web, FILE)["Location"]
    assert Contact.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(i)::text FROM studio_contactimport i")
        assert "Jeanne" not in cursor.fetchone()[0]
    page = web.get(preview)
    assert [column["field"] for column in page.context["columns"]] == ["name", "email", "phone", "company_name", "city", "country", ""]
    assert (page.context["new_count"], page.context["known_count"], page.context["fault_count"]) == (3, 2, 1)
    assert "Paul Blanc" in page.text and page.context["partial"][0].number == 4

    assert web.post(preview, {"act": "import"})["Location"] == reverse("studio:contact_list")
    made = {contact.name: contact for contact in Contact.objects.exclude(pk=known.pk)}
    assert set(made) == {"Jeanne Faure", "Halden & Co", "Paul Blanc"}
    jeanne, halden, paul = made["Jeanne Faure"], made["Halden & Co"], made["Paul Blanc"]
    assert (jeanne.phone, jeanne.city, jeanne.country, jeanne.language) == ("+33 6 12 34 56 78", "Lyon", "FR", "fr")
    assert (halden.kind, halden.country) == ("company", "BE") and (paul.email, paul.phone, paul.country) == ("", None, "BE")
    assert list(Contact.objects.search("hald")) == [halden]
    done = ContactImport.objects.get()
    assert (done.status, done.content, done.created_count, done.known_count, done.refused_count) == ("done", None, 3, 2, 1)
    assert web.post(preview, {"act": "import"})["Location"] == reverse("studio:contact_import") and Contact.objects.count() == 4

    contacts.edit_contact(paul, fields={"city": "Gent"}, actor=anna)
    make_project(studio, contact=halden)
    undo = reverse("studio:contact_import_undo", args=[done.pk])
    page = web.get(undo)
    assert (page.context["going"], page.context["staying"]) == (1, 2)
    web.post(undo)
    assert {contact.name for contact in Contact.objects.all()} == {"Claire Faure", "Halden & Co", "Paul Blanc"}
    assert web.post(undo)["Location"] == reverse("studio:contact_import") and web.get(undo).status_code == 404
    log = Activity.objects.filter(action__startswith="contacts.import").order_by("recorded_at", "pk")
    assert [(row.action, row.details["count"]) for row in log] == [("contacts.imported", 3), ("contacts.import_undone", 1)]


def test_columns_are_named_by_hand(anna):
    web = browser_of(anna)
    preview = send(web, "A,B,C\nFaure,Jeanne,=1+1\n", "utf-16")["Location"]
    assert web.get(preview).context["fault_count"] == 1
    web.post(preview, {"act": "columns", "column-0": "family_name", "column-1": "given_name", "column-2": "family_name", "language": "xx"})
    page = web.get(preview)
    assert [column["field"] for column in page.context["columns"]] == ["family_name", "given_name", ""]
    assert [row.name for row in page.context["shown"]] == ["Jeanne Faure"] and ContactImport.objects.get().language == "fr"
    web.post(preview, {"act": "discard"})
    assert not ContactImport.objects.exists() and not Contact.objects.exists()


EXCEL = """sep=;
Nom;Prénom;Société;Adresse e-mail;Adresse;Œuvre
Lefèvre;Zoé;;zoe@x.example;"12, rue de l’Église
Bât. B";
;;;;;

"Dupont
Martin";Jean;"Dupont
& Fils";jean@x.example;;
;;;pas une adresse;;
"""


def test_a_file_as_excel_writes_it_is_read_and_its_rows_have_excels_numbers(anna):
    web = browser_of(anna)
    preview = send(web, EXCEL.replace("\n", "\r\n"), "cp1252")["Location"]
    page = web.get(preview)
    assert [column["heading"] for column in page.context["columns"]][-1] == "Œuvre"
    assert [row.number for row in page.context["faults"]] == [6]
    assert page.context["columns"][1]["example"] == "Zoé" and not page.context["nameless"]
    web.post(preview, {"act": "import"})
    zoe, jean = Contact.objects.order_by("-given_name")
    assert (zoe.name, zoe.address_lines) == ("Zoé Lefèvre", ["12, rue de l’Église", "Bât. B"])
    assert (jean.name, jean.company_name) == ("Jean Dupont Martin", "Dupont & Fils")  # a header of a mail is one line


def test_headings_that_say_nothing_are_asked_about_with_what_stands_below(anna):
    web = browser_of(anna)
    page = web.get(send(web, "A;B\nFaure;Jeanne\n")["Location"])
    assert page.context["nameless"] and [column["example"] for column in page.context["columns"]] == ["Faure", "Jeanne"]


EDIT = """
from django.db import transaction
from accounts.models import User
from studio.models import Contact
from studio.services import contacts
from tests.process import eventually
from tests.processes import somebody_waits
with transaction.atomic():
    contacts.edit_contact(Contact.objects.get(given_name="Paul"), fields={"city": "Gent"}, actor=User.objects.get(name="Anna"))
    print("edited", flush=True)
    assert eventually(somebody_waits, within=60)
"""


@pytest.mark.django_db(transaction=True)
def test_what_is_edited_while_the_import_is_undone_stays():
    anna = make_user(name="Anna", language="fr")
    done = imports.carry_out(imports.receive(studio_of(anna), b"name\nPaul Blanc\nNina Noir\n", actor=anna), actor=anna)
    editing = processes.Process(EDIT)
    assert editing.stdout.readline() == "edited\n"
    assert imports.undo(done, actor=anna) == 1
    assert editing.wait(60) == 0 and Contact.objects.get().city == "Gent"


def test_our_own_export_comes_back_as_it_was(anna):
    studio, web = studio_of(anna), browser_of(anna)
    fields = {"phone": "+33 6 12 34 56 78", "street": "12 rue Neuve\nBât. B", "country": "FR", "vat_number": "FR40303265045", "notes": "=1"}
    before = make_contact(studio, **fields)
    text = b"".join(web.get(reverse("studio:contact_export")).streaming_content).decode()
    before.delete()
    web.post(send(web, text)["Location"], {"act": "import"})
    after = Contact.objects.get()
    assert {name: getattr(after, name) for name in fields} == fields and after.name == before.name and after.email == before.email


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"), (b"   \n", "empty"), (b"name,email\n", "no row"), (b"PK\x03\x04....", "spreadsheet"),
        (b"name\n" + b"x\n" * (columns.MOST_ROWS + 1), "5,000"), (b"x" * (columns.LARGEST_FILE + 1), "2 MB"),
        (b",".join([b"a"] * 61) + b"\nx", "60"), (b'name,email\nA,a@x.example\n"B,b@x.example\nC,c@x.example', "row 3"),
        (b"sep=;", "no row"),
    ],
    ids=["empty", "blank", "headings only", "spreadsheet", "rows", "size", "columns", "quotation mark", "separator only"],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_words(anna, data, said):
    with pytest.raises(columns.Unreadable, match=said):
        imports.receive(studio_of(anna), data, actor=anna)
    assert not ContactImport.objects.exists()


def test_a_preview_nobody_came_back_to_is_forgotten(anna):
    waiting = imports.receive(studio_of(anna), FILE.encode(), actor=anna)
    web = browser_of(anna)
    web.get(reverse("studio:contact_import"))
    assert ContactImport.objects.exists()
    assert sweeps.contact_files.look() == 0
    ContactImport.objects.update(created_at=timezone.now() - timedelta(hours=25))
    other = imports.receive(studio_of(make_user()), FILE.encode(), actor=anna)
    ContactImport.objects.filter(pk=other.pk).update(created_at=timezone.now() - timedelta(hours=25))
    web.get(reverse("studio:contact_import"))
    assert ContactImport.objects.get() == other
    assert sweeps.contact_files.remove() == 1 and not ContactImport.objects.exists()
    with pytest.raises(ContactImport.DoesNotExist):
        imports.carry_out(waiting, actor=anna)
