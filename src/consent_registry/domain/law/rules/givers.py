"""The rules about who may give a consent, for whom, and until when."""

from consent_registry.domain.law.rules.rule import Rule

RULES = (
    Rule(
        code="capacity",
        regime_of="row",
        asks_en="A client who decides alone has what the rows of both sides ask for.",
        asks_de="Wer allein entscheidet, ist alt genug oder nachweislich einsichtsfähig (Recht beider Stellen).",
        cure_en="Record who assessed the client's insight, or let the representative decide.",
        cure_de="Halten Sie fest, wer die Einsicht beurteilt hat, oder lassen Sie die Vertretung entscheiden.",
        dpo_confirms=True,
    ),
    Rule(
        code="insight",
        regime_of="row",
        asks_en="Who decides alone does not lack insight, by this consent or by what the recorder has on record unless "
        "`insight: present` is said since; what is said of insight names who assessed it.",
        asks_de="Wem die Einsicht fehlt, der entscheidet nicht allein; wer sie beurteilt hat, steht fest.",
        cure_en="Record the staff reference of who assessed it, or let the representative decide.",
        cure_de="Geben Sie das Kürzel der Fachkraft an, oder lassen Sie die Vertretung entscheiden.",
        dpo_confirms=True,
    ),
    Rule(
        code="representation",
        regime_of="fixed",
        norms=("§ 1626 BGB", "§ 1789 BGB", "§ 1814 BGB"),
        asks_en="A representative decides for a client of this age, within the mandate's scope, and with the young "
        "person or because insight is lacking; an office is guardian or custodian, or took the client into "
        "care.",
        asks_de="Wer vertritt, darf für dieses Alter und diesen Zweck entscheiden, zusammen mit der jungen Person oder"
        " weil die Einsicht fehlt; ein Amt ist Vormund, Betreuung oder hat in Obhut genommen.",
        cure_en="Check role, age and scope; add the young person's own yes, or record who assessed that insight is "
        "lacking.",
        cure_de="Prüfen Sie Rolle, Alter und Umfang; holen Sie das eigene Ja ein, oder wer die fehlende Einsicht "
        "beurteilt hat.",
        dpo_confirms=True,
    ),
    Rule(
        code="mandate",
        regime_of="fixed",
        norms=("§ 1773 BGB", "§ 1815 BGB"),
        asks_en="A mandate that needs an end has it on record, within four weeks where the client was taken into care,"
        " and had not ended; who decides alone has none.",
        asks_de="Das Ende der Vertretung steht fest, bei Inobhutnahme binnen vier Wochen, und war nicht erreicht; wer "
        "allein entscheidet, hat keine.",
        cure_en="Look at the deed of appointment, and record until when it is in force.",
        cure_de="Sehen Sie in die Bestellungsurkunde und geben Sie an, bis wann sie gilt.",
        dpo_confirms=True,
    ),
    Rule(
        code="adult_from",
        regime_of="fixed",
        norms=("§ 2 BGB", "§ 1626 Abs. 1 BGB"),
        asks_en="Where somebody represents a minor, the month in which the client comes of age is on record.",
        asks_de="Wo jemand für Minderjährige entscheidet, steht der Monat der Volljährigkeit fest.",
        cure_en="Record the month of the 18th birthday, never its day; from then on the client decides.",
        cure_de="Geben Sie den Monat des 18. Geburtstags an, nie den Tag; ab dann entscheidet die Person selbst.",
        dpo_confirms=True,
    ),
    Rule(
        code="adult_from_contradicts",
        regime_of="recorder",
        norms=("Art. 5 Abs. 1 lit. d DSGVO",),
        asks_en="That month fits the age band: months after that of the consent 48 to 216 under 14, 36 to 48 at 14, 1 "
        "to 36 from 15 to 17, for adults none to come.",
        asks_de="Der Monat der Volljährigkeit passt zur Altersgruppe.",
        cure_en="Correct the month or the age band.",
        cure_de="Berichtigen Sie den Monat oder die Altersgruppe.",
        dpo_confirms=True,
    ),
    Rule(
        code="care",
        regime_of="fixed",
        norms=("§ 1627 BGB", "§ 1629 Abs. 1 BGB"),
        asks_en="Parents say how they decide: the second holder gives the consent too, or one has sole custody or is "
        "authorised, or it is an everyday matter, which is an appointment without special data.",
        asks_de="Es steht fest, wie Eltern entscheiden: gemeinsam, allein, mit Vollmacht oder in einer Alltagssache, "
        "also bei einem Termin ohne besondere Daten.",
        cure_en="Ask for the other holder's yes, or for the paper that shows that it is not needed.",
        cure_de="Holen Sie das Ja des anderen Elternteils ein, oder lassen Sie sich zeigen, dass es nicht nötig ist.",
        dpo_confirms=True,
    ),
    Rule(
        code="refused_by_person_with_insight",
        regime_of="both",
        norms=("Art. 4 Nr. 11 DSGVO",),
        asks_en="A representative does not say yes to what the client refused with insight (from 14 on unless found "
        "lacking, under 14 if assessed) and the recorder recorded, unless somebody other than who explains found since "
        "that insight is lacking.",
        asks_de="Das Nein einer einsichtsfähigen Person überstimmt niemand.",
        cure_en="Talk to the person concerned: only an own yes changes the no.",
        cure_de="Sprechen Sie mit der Person selbst: Nur ihr eigenes Ja ändert das Nein.",
        dpo_confirms=True,
    ),
    Rule(
        code="entrusting_person",
        regime_of="fixed",
        norms=("§ 65 Abs. 1 Satz 1 Nr. 1 SGB VIII",),
        asks_en="Who entrusted facts to the youth office decides beside the person concerned, never alone; what "
        "somebody else entrusted (`entrusted_by: other`) has this person's yes in `co_givers`.",
        asks_de="Wer dem Jugendamt etwas anvertraut hat, entscheidet neben der betroffenen Person, nie statt ihrer; "
        "was jemand anders anvertraut hat, braucht auch dessen Ja.",
        cure_en="Record the yes of the person concerned, and the entrusting person among the co-givers.",
        cure_de="Erfassen Sie das Ja der betroffenen Person, und das der anvertrauenden daneben.",
        dpo_confirms=True,
    ),
)
