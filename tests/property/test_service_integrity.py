"""What a change touches is judged as the readers of files judge the whole."""

from __future__ import annotations

from hypothesis import event, given, settings

from models import RecordKind
from placement.graph import derive_facts
from placement.service.integrity import change_defects
from placement.service.rederiving import rederived
from tests.record_cases import BASIS, HISTORIES, whole_defects


@settings(max_examples=150)
@given(HISTORIES)
def test_a_change_fits_exactly_where_the_whole_does(history):
    records = BASIS
    for changes in history:
        after = records.with_changes(changes)
        found, whole = change_defects(records, after, changes), whole_defects(after)
        assert bool(found) == bool(whole), (found, whole)
        event("fits" if not found else "does not fit")
        if not found:
            records = after


@settings(max_examples=150)
@given(HISTORIES)
def test_facts_after_a_change_are_those_of_the_whole(history):
    records = BASIS
    facts = derive_facts(records.as_catalog(), records.parameters)
    for changes in history:
        after = records.with_changes(changes)
        if whole_defects(after):
            continue
        expected = derive_facts(after.as_catalog(), after.parameters)
        found = rederived(facts, records, after, changes)
        if found is None:
            assert {kind for kind, _ in changes} & {RecordKind.RELATION, RecordKind.PARAMETERS} or (
                facts.contradictions
            )
        else:
            assert found == expected
            event("derived in part")
        records, facts = after, expected
