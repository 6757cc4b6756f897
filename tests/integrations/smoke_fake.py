class R:
    label="client_enquiry"; confidence=.9; company=""; role=""; reasons=("because",)
class NR(R): label="not_relevant"; reasons=("newsletter",)
def classify(mail): return NR if "newsletter" in mail.subject.lower() else R
