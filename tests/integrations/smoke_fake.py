import pytest
from integrations.models import *
from integrations import engine
STORED={}
class Mem:
    def known_ids(self, cid, ids): return set(ids) & set(STORED)
    def store_page(self, run, items):
        from integrations.items import StoreResult
        new=[i for i in items if i.id not in STORED]
        for i in new: STORED[i.id]=i
        return StoreResult(created=len(new), duplicates=len(items)-len(new))
class R:
    label="client_enquiry"; confidence=.9; company="x"; role="y"; reasons=("because",)
class NR(R): label="not_relevant"; reasons=("newsletter",)
def classify(mail): return NR if "newsletter" in mail.subject.lower() else R
