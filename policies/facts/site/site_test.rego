package facts.site_test

import data.facts.site
import data.fixtures_test as fixtures

test_external_unless_the_city_runs_it if {
	site.external with input as fixtures.question
	site.external with input as fixtures.without_operator("municipal")
	site.external with input as fixtures.with_operator({"municipal": null})
	not site.external with input as fixtures.with_operator({"municipal": true})
}

test_cloud_unless_on_premise if {
	every kind in ["private_cloud", "public_cloud", null] {
		site.cloud with input as fixtures.with_site({"kind": kind})
	}
	site.cloud with input as fixtures.without_site("kind")
	not site.cloud with input as fixtures.with_site({"kind": "on_premise"})
}

test_exposed_unless_excluded if {
	every exposure in [true, null] {
		site.exposed with input as fixtures.with_operator({"extraterritorial_exposure": exposure})
	}
	site.exposed with input as fixtures.without_operator("extraterritorial_exposure")
}

test_not_exposed_stated_or_run_by_the_city if {
	not site.exposed with input as fixtures.question
	own := {"extraterritorial_exposure": null, "municipal": true}
	not site.exposed with input as fixtures.with_operator(own)
}

test_in_eea_by_the_country_of_the_site if {
	site.in_eea with input as fixtures.with_site({"country": "NO"})
	not site.in_eea with input as fixtures.with_site({"country": "CH"})
	not site.in_eea with input as fixtures.with_site({"country": null})
	not site.in_eea with input as fixtures.without_site("country")
}

test_in_safe_country_by_the_country_of_the_site if {
	site.in_safe_country with input as fixtures.with_site({"country": "CH"})
	not site.in_safe_country with input as fixtures.with_site({"country": "US"})
	not site.in_safe_country with input as fixtures.without_site("country")
}

test_operator_from_safe_country if {
	asked := "operator_from_safe_country"
	site[asked] with input as fixtures.with_operator({"country": "CH"})
	not site[asked] with input as fixtures.with_operator({"country": "US"})
	not site[asked] with input as fixtures.without_operator("country")
}

test_parent_in_eea if {
	site.parent_in_eea with input as fixtures.with_operator({"parent_jurisdiction": "NO"})
	not site.parent_in_eea with input as fixtures.with_operator({"parent_jurisdiction": "CH"})
	not site.parent_in_eea with input as fixtures.with_operator({"parent_jurisdiction": null})
	not site.parent_in_eea with input as fixtures.without_operator("parent_jurisdiction")
}

# Schemes valid at a site that holds this one certificate, from its first to its last day.
_valid(from, until) := schemes if {
	certificate := {"scheme": "C5", "level": null, "valid_from": from, "valid_until": until}
	schemes := site.schemes with input as fixtures.with_site({"certifications": [certificate]})
}

test_schemes_on_the_first_and_the_last_day if {
	_valid("2026-07-01", "2026-07-01") == {"C5"}
}

test_schemes_without_a_first_day if {
	_valid(null, "2026-07-01") == {"C5"}
}

test_no_schemes_after_the_last_day if {
	_valid("2025-07-01", "2026-06-30") == set()
}

test_no_schemes_before_the_first_day if {
	_valid("2026-07-02", "2027-07-01") == set()
}

test_no_schemes_without_a_last_day if {
	_valid("2025-07-01", null) == set()
	endless := fixtures.with_site({"certifications": [{"scheme": "C5"}]})
	site.schemes == set() with input as endless
	site.schemes == set() with input as fixtures.without_site("certifications")
}

_uncertified(changes) := levels if {
	levels := site.uncertified_levels with input as fixtures.with_site(changes)
}

test_uncertified_levels_by_scheme if {
	_uncertified({"certifications": []}) == {1, 3, 4}
	_uncertified({"certifications": [fixtures.certificate("ISO27001", null)]}) == {3, 4}
	_uncertified({"certifications": [fixtures.certificate("SECNUMCLOUD", null)]}) == set()
}

test_uncertified_levels_by_level_of_the_scheme if {
	_uncertified({"certifications": [fixtures.certificate("C5", "Type 2")]}) == {4}
	_uncertified({"certifications": [fixtures.certificate("C5", "Type 1")]}) == {3, 4}
	_uncertified({"certifications": [fixtures.certificate("C5", null)]}) == {3, 4}
	_uncertified({"certifications": [fixtures.certificate("EUCS", "high")]}) == set()
}

test_uncertified_levels_where_the_city_runs_it if {
	none := {"certifications": []}
	_uncertified(object.union(fixtures.municipal, none)) == {2}
	own := {"certifications": [fixtures.certificate("BIO", null)]}
	_uncertified(object.union(fixtures.municipal, own)) == set()
}

test_interfaces_are_those_offered if {
	site.interfaces == {"s3"} with input as fixtures.with_site({"interfaces": ["s3"]})
	site.interfaces == set() with input as fixtures.without_site("interfaces")
}

_served(name, licence, interfaces) := {
	"name": name,
	"licence": licence,
	"licence_open": licence == "MIT",
	"open_standard": true,
	"interfaces": interfaces,
}

_stack := [
	_served("A", "MIT", ["s3", "kafka"]),
	_served("B", "LicenseRef-b", ["kafka", "wfs"]),
	object.union(_served("C", null, ["jdbc"]), {"open_standard": null}),
	{"name": "D", "interfaces": ["mqtt"]},
	object.union(_served("E", "MIT", ["oracle"]), {"open_standard": false}),
]

test_open_standards_where_a_component_is_shown_to_speak_one if {
	expected := {"kafka", "s3", "wfs"}
	site.open_standards == expected with input as fixtures.with_site({"stack": _stack})
}

test_open_interfaces_where_no_closed_component_serves_them_too if {
	expected := {"oracle", "s3"}
	site.open_interfaces == expected with input as fixtures.with_site({"stack": _stack})
	site.open_interfaces == set() with input as fixtures.without_site("stack")
}

test_unlicensed_interfaces_where_no_licence_is_stated if {
	expected := {"jdbc", "mqtt"}
	site.unlicensed_interfaces == expected with input as fixtures.with_site({"stack": _stack})
	site.unlicensed_interfaces == set() with input as fixtures.question
}

test_open_stack_when_every_component_is_open if {
	site.open_stack with input as fixtures.question
}

test_no_open_stack_with_a_closed_or_unknown_component_or_none if {
	every component in [_stack[1], _stack[2], _stack[3]] {
		asked := fixtures.with_site({"stack": [_stack[0], component]})
		not site.open_stack with input as asked
	}
	not site.open_stack with input as fixtures.with_site({"stack": []})
	not site.open_stack with input as fixtures.without_site("stack")
}

test_serves_are_the_roles_named if {
	site.serves == {"registrar"} with input as fixtures.with_site({"serves_roles": ["registrar"]})
	site.serves == set() with input as fixtures.without_site("serves_roles")
}

_lowest(administrators) := lowest if {
	lowest := site.lowest_clearance with input as fixtures.with_site({"administrators": administrators})
}

test_lowest_clearance_of_all_administrators if {
	_lowest([{"id": "a", "clearance": 4}, {"id": "b", "clearance": 2}]) == 2
}

test_lowest_clearance_below_every_level_where_unknown if {
	_lowest([]) == -1
	_lowest([{"id": "a", "clearance": 4}, {"id": "b", "clearance": null}]) == -1
	_lowest([{"id": "a", "clearance": 4}, {"id": "b"}]) == -1
	site.lowest_clearance == -1 with input as fixtures.without_site("administrators")
}

_administered := fixtures.with_site({"administrators": [
	{"id": "adequate", "country": "CH"},
	{"id": "elsewhere", "country": "US"},
	{"id": "home", "country": "NL"},
	{"id": "unknown", "country": null},
	{"id": "absent"},
]})

test_administered_outside_eea if {
	expected := {
		"absent (country: not stated)",
		"adequate (country: CH)",
		"elsewhere (country: US)",
		"unknown (country: not stated)",
	}
	site.administered_outside_eea == expected with input as _administered
}

test_administered_outside_safe_countries if {
	expected := {
		"absent (country: not stated)",
		"elsewhere (country: US)",
		"unknown (country: not stated)",
	}
	site.administered_outside_safe_countries == expected with input as _administered
}

test_missing_clauses_are_those_the_thresholds_ask_for if {
	site.missing_clauses == set() with input as fixtures.question
	asked := fixtures.with_site({"clauses": ["eu_law_and_courts"]})
	site.missing_clauses == {"audit_right", "exit_assistance"} with input as asked
		with data.thresholds.procurement.clauses_by_site_kind as {"private_cloud": [
			"audit_right",
			"eu_law_and_courts",
			"exit_assistance",
		]}
}

test_no_missing_clauses_without_a_known_contract_or_at_the_citys_own_site if {
	site.missing_clauses == set() with input as fixtures.with_site({"clauses": null})
	site.missing_clauses == set() with input as fixtures.without_site("clauses")
	own := fixtures.with_site({"clauses": [], "operator": {"municipal": true}})
	site.missing_clauses == set() with input as own
}
