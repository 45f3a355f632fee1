package security_test

import data.fixtures_test as fixtures
import data.security

test_preference_on_premise_for_confidential_data if {
	_preferred(fixtures.question) == {{
		"code": "security.prefer_on_premise",
		"message": "confidentiality 3 at a site of kind private_cloud",
		"penalty_eur_per_year": 1200,
	}}
}

test_preference_met_on_premise if _preferred(fixtures.with_site({"kind": "on_premise"})) == set()

test_preference_none_below_threshold if _preferred(fixtures.with_dataset({"confidentiality": 2})) == set()

test_preference_none_for_missing_confidentiality if {
	every asked in [fixtures.with_dataset({"confidentiality": null}), fixtures.without_dataset("confidentiality")] {
		_preferred(asked) == set()
	}
}

test_preference_not_met_by_unknown_kind if {
	every asked in _site_lacks("kind") {
		{preference.message | some preference in _preferred(asked)} == {concat(" ", [
			"confidentiality 3 at a site",
			"of kind not stated",
		])}
	}
}

_preferred(asked) := preferences if {
	preferences := security.preferences with input as asked
}
