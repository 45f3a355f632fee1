package residency_test

import data.fixtures_test as fixtures
import data.residency

test_eligible_question if _violated(fixtures.question) == set()

# Where data rests.

test_denied_personal_outside_safe_countries if {
	every category in ["pseudonymised", "personal"] {
		asked := _resting("US", category, 2)
		_violated(asked) == {"residency.personal_data_in_safe_country"}
		_messages(asked) == {sprintf("%s data would rest in US", [category])}
	}
}

test_eligible_personal_in_safe_countries if {
	every country in ["NL", "DE", "IS", "LI", "NO", "CH", "GB"] {
		_violated(_resting(country, "personal", 2)) == set()
	}
}

test_eligible_non_personal_anywhere_below_threshold if _violated(_resting("US", "none", 2)) == set()

test_denied_sensitive_outside_eea if {
	every category in ["criminal", "special"] {
		_violated(_resting("GB", category, 2)) == {"residency.special_category_stays_in_eea"}
	}
}

test_eligible_sensitive_in_eea if {
	every category in ["criminal", "special"] {
		every country in ["NL", "DE", "IS", "LI", "NO"] {
			_violated(_resting(country, category, 4)) == set()
		}
	}
}

test_denied_sensitive_and_confidential_in_unsafe_country if {
	_violated(_resting("US", "special", 3)) == {
		"residency.confidential_data_stays_in_eea",
		"residency.personal_data_in_safe_country",
		"residency.special_category_stays_in_eea",
	}
}

test_denied_confidential_outside_eea if {
	every level in [3, 4] {
		_violated(_resting("GB", "none", level)) == {"residency.confidential_data_stays_in_eea"}
	}
}

test_denied_country_missing if {
	every asked in _site_lacks("country") {
		_violated(asked) == {
			"residency.confidential_data_stays_in_eea",
			"residency.personal_data_in_safe_country",
			"residency.special_category_stays_in_eea",
		}
		_messages(asked) == {
			"data of confidentiality 3 would rest in not stated",
			"special data would rest in not stated",
		}
	}
}

test_denied_municipal_site_outside_eea if {
	abroad := object.union(fixtures.municipal, {"country": "GB"})
	_violated(fixtures.with_site(abroad)) == {
		"residency.confidential_data_stays_in_eea",
		"residency.special_category_stays_in_eea",
	}
}

# A missing classification is reported once, by classification.attributes_stated.
test_denied_elsewhere_category_and_confidentiality_missing if {
	asked := object.union(
		_resting("US", null, null),
		{"site": {"seal_level": 0, "operator": {"parent_jurisdiction": "US", "foreign_ownership_share": 1}}},
	)
	keys := [["dataset", "gdpr_category"], ["dataset", "confidentiality"]]
	every missing in [asked, json.remove(asked, keys)] {
		_violated(missing) == set()
		"classification.attributes_stated" in fixtures.violated(missing)
	}
}

# Whose law reaches the data.

test_denied_sensitive_under_parent_outside_eea if {
	every category in ["criminal", "special"] {
		every country in ["GB", "US"] {
			asked := _operated(category, 3, {"parent_jurisdiction": country})
			_violated(asked) == {"residency.special_category_under_eea_parent"}
		}
	}
}

test_denied_sensitive_exposed if {
	asked := _operated("special", 3, {"extraterritorial_exposure": true})
	_violated(asked) == {"residency.special_category_under_eea_parent"}
	_messages(asked) == {"parent jurisdiction NL, extraterritorial exposure true"}
}

test_eligible_sensitive_under_eea_parent if {
	every country in ["DE", "NO"] {
		_violated(_operated("special", 3, {"parent_jurisdiction": country})) == set()
	}
}

test_eligible_not_sensitive_under_parent_outside_eea if {
	abroad := {"parent_jurisdiction": "US", "extraterritorial_exposure": true}
	every category in ["none", "pseudonymised", "personal"] {
		_violated(_operated(category, 3, abroad)) == set()
	}
}

test_denied_sensitive_jurisdiction_missing if {
	every key in ["extraterritorial_exposure", "parent_jurisdiction"] {
		every asked in _operator_lacks(key) {
			_violated(asked) == {"residency.jurisdiction_known", "residency.special_category_under_eea_parent"}
		}
	}
}

test_denied_jurisdiction_unknown if {
	unknown := {"extraterritorial_exposure": null, "parent_jurisdiction": null}
	every asked in [_operated("none", 1, unknown), _operated("personal", 0, unknown)] {
		_violated(asked) == {"residency.jurisdiction_known"}
		_messages(asked) == {
			"the operator's extraterritorial_exposure is not stated",
			"the operator's parent_jurisdiction is not stated",
		}
	}
}

test_eligible_jurisdiction_unknown_for_open_data if {
	unknown := {"extraterritorial_exposure": null, "parent_jurisdiction": null}
	_violated(_operated("none", 0, unknown)) == set()
}

test_eligible_municipal_site_is_under_city_law if {
	every level in [3, 4] {
		_violated(fixtures.with_both({"confidentiality": level}, _unassessed)) == set()
	}
}

test_denied_operator_not_shown_to_be_municipal if {
	asked := fixtures.with_site(object.union(_unassessed, {"operator": {"municipal": null}}))
	every unshown in [asked, json.remove(asked, [["site", "operator", "municipal"]])] {
		_violated(unshown) == {
			"residency.foreign_ownership_ceiling",
			"residency.jurisdiction_known",
			"residency.seal_minimum",
			"residency.special_category_under_eea_parent",
		}
	}
}

# Sovereignty levels.

test_eligible_seal_at_minimum if {
	every level in numbers.range(0, 4) { _violated(_sealed(level, level)) == set() }
}

test_denied_seal_below_minimum if {
	every level in numbers.range(1, 4) { _violated(_sealed(level, level - 1)) == {"residency.seal_minimum"} }
}

test_denied_seal_missing if {
	every asked in _site_lacks("seal_level") {
		_violated(asked) == {"residency.seal_minimum"}
		_messages(asked) == {"SEAL is not stated; confidentiality 3 asks for 3"}
	}
}

test_eligible_seal_missing_for_open_data if {
	asked := _sealed(0, null)
	every missing in [asked, json.remove(asked, [["site", "seal_level"]])] { _violated(missing) == set() }
}

# Foreign ownership.

test_eligible_ownership_at_ceiling if {
	every level, share in {0: 1, 1: 1, 2: 1, 3: 0.39, 4: 0.24} {
		_violated(_operated("none", level, {"foreign_ownership_share": share})) == set()
	}
}

test_denied_ownership_above_ceiling if {
	every level, share in {3: 0.3901, 4: 0.2401} {
		asked := _operated("none", level, {"foreign_ownership_share": share})
		_violated(asked) == {"residency.foreign_ownership_ceiling"}
	}
}

test_denied_ownership_missing if {
	every asked in _operator_lacks("foreign_ownership_share") {
		_violated(asked) == {"residency.foreign_ownership_ceiling"}
		_messages(asked) == {"foreign share is not stated; confidentiality 3 allows 0.39"}
	}
}

test_eligible_ownership_missing_below_threshold if {
	asked := _operated("none", 2, {"foreign_ownership_share": null})
	every missing in [asked, json.remove(asked, [["site", "operator", "foreign_ownership_share"]])] {
		_violated(missing) == set()
	}
}

# The city's own site, about which nothing is stated that only operators are judged by.
_unassessed := object.union(fixtures.municipal, {
	"seal_level": null,
	"operator": {
		"parent_jurisdiction": null,
		"extraterritorial_exposure": null,
		"foreign_ownership_share": null,
	},
})

_resting(country, category, confidentiality) := fixtures.with_both(
	{"gdpr_category": category, "confidentiality": confidentiality},
	{"country": country},
)

_operated(category, confidentiality, operator) := fixtures.with_both(
	{"gdpr_category": category, "confidentiality": confidentiality},
	{"operator": operator},
)

_sealed(confidentiality, level) := fixtures.with_both(
	{"gdpr_category": "none", "confidentiality": confidentiality},
	{"seal_level": level},
)

_site_lacks(key) := [fixtures.with_site({key: null}), fixtures.without_site(key)]

_operator_lacks(key) := [fixtures.with_operator({key: null}), fixtures.without_operator(key)]

_violated(asked) := fixtures.codes(violations) if {
	violations := residency.violations with input as asked
}

_messages(asked) := {violation.message | some violation in violations} if {
	violations := residency.violations with input as asked
}
