package residency_test

import data.fixtures_test as fixtures
import data.residency

test_preference_all_met if _preferred(fixtures.question) == set()

test_preference_eea_parent if {
	_preferred(fixtures.with_operator({"parent_jurisdiction": "GB"})) == {{
		"code": "residency.prefer_eea_parent",
		"message": "the operator's parent jurisdiction is GB",
		"penalty_eur_per_year": 600,
	}}
}

test_preference_eea_parent_not_met_when_missing if {
	every asked in _operator_lacks("parent_jurisdiction") {
		fixtures.codes(_preferred(asked)) == {"residency.prefer_eea_parent"}
	}
}

test_preference_higher_seal if {
	_preferred(fixtures.with_site({"seal_level": 3})) == {{
		"code": "residency.prefer_higher_seal",
		"message": "SEAL is 3; 4 is preferred",
		"penalty_eur_per_year": 300,
	}}
}

test_preference_higher_seal_at_each_confidentiality if {
	every level, preferred in [1, 2, 3, 4, 4] {
		_preferred(_sealed(level, preferred)) == set()
		fixtures.codes(_preferred(_sealed(level, preferred - 1))) == {"residency.prefer_higher_seal"}
	}
}

test_preference_higher_seal_not_met_when_missing if {
	every asked in _site_lacks("seal_level") {
		fixtures.codes(_preferred(asked)) == {"residency.prefer_higher_seal"}
	}
}

test_preference_none_for_missing_confidentiality if {
	asked := fixtures.with_both({"confidentiality": null}, {"seal_level": 0})
	every missing in [asked, json.remove(asked, [["dataset", "confidentiality"]])] {
		_preferred(missing) == set()
	}
}

test_preference_home_country if {
	_preferred(fixtures.with_site({"country": "DE"})) == {{
		"code": "residency.prefer_home_country",
		"message": "the site is in DE",
		"penalty_eur_per_year": 120,
	}}
}

test_preference_home_country_not_met_when_missing if {
	every asked in _site_lacks("country") {
		{preference.message | some preference in _preferred(asked)} == {"the site is in not stated"}
	}
}

test_preference_municipal_site_is_judged_by_country_only if {
	_preferred(fixtures.with_site(_unassessed)) == set()
	abroad := object.union(_unassessed, {"country": "BE"})
	fixtures.codes(_preferred(fixtures.with_site(abroad))) == {"residency.prefer_home_country"}
}

_preferred(asked) := preferences if {
	preferences := residency.preferences with input as asked
}
