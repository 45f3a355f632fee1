package transfer_test

import data.fixtures_test as fixtures
import data.transfer

test_eligible_question if _violated(fixtures.question) == set()

# Operators that a third country can oblige to hand data over.

test_denied_exposed_operator_may_hold_keys if {
	every category in ["pseudonymised", "personal", "criminal", "special"] {
		_violated(_exposed(category, 2, {"customer_held_keys": false})) == {"transfer.exposed_operator_holds_no_keys"}
	}
}

test_eligible_exposed_operator_without_keys if {
	_violated(_exposed("personal", 2, {"customer_held_keys": true})) == set()
}

test_denied_exposed_operator_keys_missing if {
	asked := _exposed("personal", 2, {"customer_held_keys": null})
	every missing in [asked, json.remove(asked, [["site", "customer_held_keys"]])] {
		_violated(missing) == {"transfer.exposed_operator_holds_no_keys"}
		_messages(missing) == {"extraterritorial exposure: true, customer-held keys: not stated"}
	}
}

test_eligible_exposed_operator_may_hold_keys_below_threshold if {
	_violated(_exposed("personal", 1, {"customer_held_keys": false})) == set()
}

test_denied_exposed_operator_at_high_confidentiality if {
	every level in [3, 4] {
		asked := _exposed("personal", level, {"customer_held_keys": true})
		_violated(asked) == {"transfer.exposed_operator_excluded"}
	}
}

test_eligible_unexposed_operator_at_high_confidentiality if {
	_violated(fixtures.with_dataset({"confidentiality": 4})) == set()
}

test_denied_exposure_missing if {
	every asked in _operator_lacks("extraterritorial_exposure") {
		_violated(asked) == {"transfer.exposed_operator_excluded"}
		_messages(asked) == {"extraterritorial exposure: not stated, confidentiality 3"}
		keyless := object.union(asked, {"site": {"customer_held_keys": false}})
		_violated(keyless) == {
			"transfer.exposed_operator_excluded",
			"transfer.exposed_operator_holds_no_keys",
		}
	}
}

test_eligible_municipal_site_is_not_exposed if {
	city := {"customer_held_keys": null, "operator": {"municipal": true, "extraterritorial_exposure": null}}
	every category in ["none", "special"] {
		_violated(fixtures.with_both({"gdpr_category": category}, city)) == set()
	}
}

test_denied_operator_not_shown_to_be_municipal if {
	asked := _exposed("none", 2, {"customer_held_keys": false, "operator": {"municipal": null}})
	every unshown in [asked, json.remove(asked, [["site", "operator", "municipal"]])] {
		_violated(unshown) == {"transfer.non_personal_data_shielded"}
	}
}

# Data that is not personal.

test_denied_non_personal_exposed if {
	every level in [2, 3, 4] {
		asked := _exposed("none", level, {"customer_held_keys": false})
		_violated(asked) == {"transfer.non_personal_data_shielded"}
		_messages(asked) == {"extraterritorial exposure: true, customer-held keys: false"}
	}
}

test_denied_non_personal_keys_missing if {
	asked := _exposed("none", 2, {"customer_held_keys": null})
	every missing in [asked, json.remove(asked, [["site", "customer_held_keys"]])] {
		_violated(missing) == {"transfer.non_personal_data_shielded"}
	}
}

test_denied_non_personal_exposure_missing if {
	asked := _exposed("none", 2, {"customer_held_keys": false, "operator": {"extraterritorial_exposure": null}})
	every missing in [asked, json.remove(asked, [["site", "operator", "extraterritorial_exposure"]])] {
		_violated(missing) == {"transfer.non_personal_data_shielded"}
	}
}

# A category that is missing is reported by classification, and takes no shield away.
test_denied_category_missing_is_shielded if {
	asked := _exposed(null, 2, {"customer_held_keys": false})
	every missing in [asked, json.remove(asked, [["dataset", "gdpr_category"]])] {
		_violated(missing) == {"transfer.non_personal_data_shielded"}
		"classification.attributes_stated" in fixtures.violated(missing)
	}
}

test_eligible_non_personal_exposed_with_city_keys if {
	_violated(_exposed("none", 4, {"customer_held_keys": true})) == set()
}

test_eligible_non_personal_exposed_below_threshold if {
	_violated(_exposed("none", 1, {"customer_held_keys": false})) == set()
}

test_eligible_non_personal_unexposed if {
	asked := fixtures.with_both({"gdpr_category": "none", "confidentiality": 4}, {"customer_held_keys": false})
	_violated(asked) == set()
}

test_denied_elsewhere_confidentiality_missing if {
	every category in ["none", "special"] {
		asked := _exposed(category, null, {"customer_held_keys": false})
		every missing in [asked, json.remove(asked, [["dataset", "confidentiality"]])] {
			_violated(missing) == set()
			"classification.attributes_stated" in fixtures.violated(missing)
		}
	}
}

# Operators from third countries.

test_denied_third_country_operator_without_clauses if {
	asked := fixtures.with_operator({"country": "US"})
	_violated(asked) == {"transfer.third_country_operator_has_clauses"}
	_messages(asked) == {"the operator is from US and there are no standard contractual clauses"}
}

test_eligible_third_country_operator_with_clauses if {
	asked := fixtures.with_site({"operator": {"country": "US"}, "clauses": ["standard_contractual_clauses"]})
	_violated(asked) == set()
}

test_denied_third_country_operator_clauses_missing if {
	asked := fixtures.with_site({"operator": {"country": "US"}, "clauses": null})
	every missing in [asked, json.remove(asked, [["site", "clauses"]])] {
		_violated(missing) == {"transfer.third_country_operator_has_clauses"}
	}
}

test_eligible_operator_from_safe_country_without_clauses if {
	every country in ["NL", "NO", "CH", "GB"] {
		_violated(fixtures.with_operator({"country": country})) == set()
	}
}

test_denied_operator_country_missing if {
	every asked in _operator_lacks("country") {
		_violated(asked) == {"transfer.third_country_operator_has_clauses"}
	}
}

test_eligible_third_country_operator_without_personal_data if {
	asked := fixtures.with_both({"gdpr_category": "none"}, {"operator": {"country": "US"}})
	_violated(asked) == set()
}

test_eligible_municipal_site_needs_no_standard_clauses if {
	_violated(fixtures.with_site(object.union(fixtures.municipal, {"operator": {"country": null}}))) == set()
}

# People who work with the data.

test_denied_personal_used_from_third_country if {
	every part in _parts {
		asked := fixtures.with_dataset({"gdpr_category": "personal", part: [_role("US")]})
		_violated(asked) == {"transfer.dataset_used_from_safe_countries"}
		_messages(asked) == {"personal data is used by registrar (country: US)"}
	}
}

test_eligible_personal_used_from_safe_country if {
	every country in ["NO", "GB"] {
		_violated(fixtures.with_dataset({"gdpr_category": "personal", "readers": [_role(country)]})) == set()
	}
}

test_denied_sensitive_used_from_outside_eea if {
	every category in ["criminal", "special"] {
		asked := fixtures.with_dataset({"gdpr_category": category, "writers": [_role("GB")]})
		_violated(asked) == {"transfer.dataset_used_from_safe_countries"}
	}
}

test_eligible_sensitive_used_from_eea if _violated(fixtures.with_dataset({"writers": [_role("NO")]})) == set()

test_denied_country_of_use_missing if {
	every part in _parts {
		every category in ["personal", "special"] {
			every role in [_role(null), object.remove(_role(null), ["country"])] {
				asked := fixtures.with_dataset({"gdpr_category": category, part: [role]})
				_violated(asked) == {"transfer.dataset_used_from_safe_countries"}
				_messages(asked) == {sprintf("%s data is used by registrar (country: not stated)", [category])}
			}
		}
	}
}

test_eligible_non_personal_used_from_anywhere if {
	every country in ["US", null] {
		_violated(fixtures.with_dataset({"gdpr_category": "none", "readers": [_role(country)]})) == set()
	}
}

# People who administer the site.

test_denied_personal_administered_from_third_country if {
	asked := _administered("personal", [_role("US"), fixtures.role])
	_violated(asked) == {"transfer.site_administered_from_safe_countries"}
	_messages(asked) == {"the site is administered by registrar (country: US)"}
}

test_eligible_personal_administered_from_safe_country if {
	every country in ["NO", "GB"] { _violated(_administered("personal", [_role(country)])) == set() }
}

test_denied_sensitive_administered_from_outside_eea if {
	every category in ["criminal", "special"] {
		_violated(_administered(category, [_role("GB")])) == {"transfer.site_administered_from_safe_countries"}
	}
}

test_eligible_sensitive_administered_from_eea if _violated(_administered("special", [_role("NO")])) == set()

test_denied_country_of_administrator_missing if {
	every category in ["personal", "special"] {
		every role in [_role(null), object.remove(_role(null), ["country"])] {
			asked := _administered(category, [role])
			_violated(asked) == {"transfer.site_administered_from_safe_countries"}
			_messages(asked) == {"the site is administered by registrar (country: not stated)"}
		}
	}
}

test_denied_municipal_site_administered_from_third_country if {
	asked := fixtures.with_site(object.union(fixtures.municipal, {"administrators": [_role("US")]}))
	_violated(asked) == {"transfer.site_administered_from_safe_countries"}
}

test_eligible_non_personal_administered_from_anywhere if {
	every country in ["US", null] { _violated(_administered("none", [_role(country)])) == set() }
}

# Administrators whom nobody names may work from anywhere: access reports them.
test_denied_elsewhere_administrators_missing if {
	every category in ["personal", "special"] {
		asked := _administered(category, [])
		every missing in [asked, json.remove(asked, [["site", "administrators"]])] {
			fixtures.violated(missing) == {"access.site_administrators_known"}
		}
	}
}

# What the host must do.

test_obliged_to_pseudonymise_and_notify_when_exposed if {
	_required(_exposed("personal", 2, {})) == {
		"transfer.notify_foreign_orders",
		"transfer.pseudonymise_before_access",
	}
}

test_obliged_as_exposed_when_exposure_missing if {
	every asked in _operator_lacks("extraterritorial_exposure") {
		"transfer.pseudonymise_before_access" in _required(asked)
	}
}

test_obliged_to_notify_only if {
	every asked in [fixtures.question, _exposed("none", 2, {})] {
		_required(asked) == {"transfer.notify_foreign_orders"}
	}
}

test_obliged_to_notify_when_access_rights_missing if {
	asked := fixtures.with_dataset({"access_rights": null})
	every missing in [asked, fixtures.without_dataset("access_rights")] {
		_required(missing) == {"transfer.notify_foreign_orders"}
	}
}

test_not_obliged_for_open_data if _required(fixtures.with_dataset(fixtures.public)) == set()

test_not_obliged_at_municipal_site if _required(fixtures.with_site(fixtures.municipal)) == set()

# Preferences.

test_preference_unexposed_operator if {
	_preferred(_exposed("none", 0, {})) == {{
		"code": "transfer.prefer_unexposed_operator",
		"message": "extraterritorial exposure: true",
		"penalty_eur_per_year": 600,
	}}
}

test_preference_unexposed_operator_met if {
	_preferred(fixtures.question) == set()
	_preferred(fixtures.with_site(fixtures.municipal)) == set()
}

test_preference_unexposed_operator_not_met_when_missing if {
	every asked in _operator_lacks("extraterritorial_exposure") {
		{preference.message | some preference in _preferred(asked)} == {"extraterritorial exposure: not stated"}
	}
}

_parts := ["readers", "writers", "administrators"]

_role(country) := object.union(fixtures.role, {"country": country})

_exposed(category, confidentiality, of_site) := fixtures.with_both(
	{"gdpr_category": category, "confidentiality": confidentiality},
	object.union({"operator": {"extraterritorial_exposure": true}}, of_site),
)

_administered(category, roles) := fixtures.with_both(
	{"gdpr_category": category},
	{"administrators": roles},
)

_operator_lacks(key) := [fixtures.with_operator({key: null}), fixtures.without_operator(key)]

_violated(asked) := fixtures.codes(violations) if {
	violations := transfer.violations with input as asked
}

_messages(asked) := {violation.message | some violation in violations} if {
	violations := transfer.violations with input as asked
}

_required(asked) := fixtures.codes(requirements) if {
	requirements := transfer.host_obligations with input as asked
}

_preferred(asked) := preferences if {
	preferences := transfer.preferences with input as asked
}
