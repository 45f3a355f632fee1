package report_test

import data.report

_rule := {
	"title": "family.name",
	"description": "What is asked.",
	"custom": {"severity": "mandatory"},
	"related_resources": [{"ref": "https://example.org", "description": "A law, art. 1"}],
}

test_violation_states_its_rule if {
	report.violation(_rule, "why") == {
		"obligation": "family.name",
		"text": "What is asked.",
		"severity": "mandatory",
		"sources": [{"ref": "https://example.org", "description": "A law, art. 1"}],
		"message": "why",
	}
}

test_violation_of_a_rule_with_incomplete_metadata_is_not_lost if {
	every part in ["title", "description", "custom", "related_resources"] {
		reported := report.violation(object.remove(_rule, [part]), "why")
		reported.obligation == "report.incomplete_metadata"
		reported.message == "why"
	}
}

test_host_obligation_with_and_without_detail if {
	report.host_obligation(_rule, "") == {"code": "family.name", "requirement": "What is asked."}
	report.host_obligation(_rule, " Daily.").requirement == "What is asked. Daily."
}

test_preference_with_its_weight if {
	expected := {"code": "family.name", "message": "why", "penalty_eur_per_year": 7}
	report.preference(_rule, "why") == expected with data.thresholds.preferences as {
		"penalty_eur_per_year": {"family.name": 7},
	}
}

test_shown_values_including_false_and_zero if {
	every value in [false, 0, "", [], "NL"] { report.shown({"key": value}, "key") == value }
}

test_shown_not_stated_when_null_absent_or_nothing if {
	report.shown({"key": null}, "key") == "not stated"
	report.shown({}, "key") == "not stated"
	report.shown(null, "key") == "not stated"
}

test_roles_in_words if {
	role := {"id": "clerk", "country": "NL", "clearance": 0}
	report.clearance_of(role) == "clerk (clearance: 0)"
	report.country_of(role) == "clerk (country: NL)"
}

test_roles_in_words_unknown if {
	report.clearance_of({"id": "clerk"}) == "clerk (clearance: not stated)"
	report.country_of({}) == "not stated (country: not stated)"
}
