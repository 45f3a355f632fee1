package openness_test

import data.fixtures_test as fixtures
import data.openness

test_clean_question if {
	_violated(fixtures.question) == set()
	_violated(fixtures.with_dataset(fixtures.public)) == set()
	_violated(fixtures.with_site(fixtures.municipal)) == set()
}

# interfaces_offered

test_violating_interface_not_offered if {
	asked := fixtures.with_site({"interfaces": ["ogc_api"]})
	_messages("openness.interfaces_offered", asked) == {"not offered: postgresql"}
}

test_missing_interfaces_of_the_site if {
	"openness.interfaces_offered" in _violated(fixtures.with_site({"interfaces": []}))
	"openness.interfaces_offered" in _violated(fixtures.without_site("interfaces"))
}

test_clean_more_interfaces_offered_than_required if {
	_violated(fixtures.with_site({"interfaces": ["kafka", "ogc_api", "postgresql"]})) == set()
}

test_clean_no_interface_required if {
	of_site := {"interfaces": [], "stack": []}
	_violated(fixtures.with_both({"interfaces": []}, of_site)) == set()
}

# cloud_interface_is_open_standard

_standard := "openness.cloud_interface_is_open_standard"

_served(open_standard) := fixtures.with_site({"stack": [
	fixtures.site.stack[0],
	{
		"name": "PostgreSQL",
		"licence": "PostgreSQL",
		"licence_open": true,
		"open_standard": open_standard,
		"interfaces": ["postgresql"],
	},
]})

test_violating_interface_not_an_open_standard if {
	_messages(_standard, _served(false)) == {"not served by an open standard: postgresql"}
}

test_missing_open_standard if {
	_standard in _violated(_served(null))
	_standard in _violated(fixtures.with_site({"stack": []}))
	_standard in _violated(fixtures.without_site("stack"))
}

test_missing_kind_of_site_counts_as_cloud if {
	asked := json.remove(_served(false), ["site/kind"])
	_standard in _violated(asked)
}

test_clean_interface_not_an_open_standard_on_premise if {
	_violated(object.union(_served(false), {"site": {"kind": "on_premise"}})) == set()
}

# closed_interface_stays_off_cloud

_off_cloud := "openness.closed_interface_stays_off_cloud"

# A dataset that requires a closed interface, which the site serves.
_closed(interface, kind) := fixtures.with_both(
	{"interfaces": [interface]},
	{
		"kind": kind,
		"interfaces": [interface],
		"stack": [{
			"name": "Gateway",
			"licence": "MIT",
			"licence_open": true,
			"open_standard": true,
			"interfaces": [interface],
		}],
	},
)

test_violating_closed_interface_in_a_cloud if {
	every interface in ["mssql", "oracle", "proprietary"] {
		expected := {sprintf("closed: %s, at a site of kind public_cloud", [interface])}
		_messages(_off_cloud, _closed(interface, "public_cloud")) == expected
	}
}

test_missing_kind_keeps_a_closed_interface_away if {
	_off_cloud in _violated(_closed("oracle", null))
}

test_clean_closed_interface_on_premise if {
	_violated(_closed("oracle", "on_premise")) == set()
}

test_clean_open_interface_in_a_cloud if {
	_violated(_closed("kafka", "public_cloud")) == set()
}

# public_data_has_open_interface

_published := "openness.public_data_has_open_interface"

_public_with(changes) := object.union(fixtures.public, changes)

test_violating_public_data_without_a_publication_interface if {
	asked := fixtures.with_dataset(_public_with({"interfaces": ["postgresql"]}))
	_violated(asked) == {_published}
}

test_violating_high_value_data_without_a_publication_interface if {
	asked := fixtures.with_dataset({"high_value": true, "interfaces": ["postgresql"]})
	_violated(asked) == {_published}
}

test_violating_publication_interface_not_offered if {
	asked := fixtures.with_both(fixtures.public, {"interfaces": ["postgresql"]})
	_published in _violated(asked)
}

test_violating_publication_interface_not_by_an_open_standard if {
	asked := fixtures.with_both(fixtures.public, {"stack": [fixtures.site.stack[1]]})
	_messages(_published, asked) == {concat("", [
		`requires ["ogc_api", "postgresql"]; `,
		"open standards served here: postgresql",
	])}
}

test_missing_interfaces_of_public_data if {
	_violated(fixtures.with_dataset(_public_with({"interfaces": []}))) == {_published}
	absent := json.remove(fixtures.with_dataset(fixtures.public), ["dataset/interfaces"])
	_violated(absent) == {_published}
}

test_clean_public_data_with_one_publication_interface_among_others if {
	_violated(fixtures.with_dataset(fixtures.public)) == set()
	_violated(fixtures.with_dataset({"high_value": true})) == set()
}

test_clean_data_that_is_not_published_needs_none if {
	_violated(fixtures.with_dataset({"interfaces": ["postgresql"]})) == set()
}

# stack_licences_known

_licences := "openness.stack_licences_known"

_licensed(licence) := object.union(fixtures.site.stack[1], {"licence": licence})

test_missing_licence_of_what_serves_the_dataset if {
	asked := fixtures.with_site({"stack": [fixtures.site.stack[0], _licensed(null)]})
	_violated(asked) == {_licences}
	_messages(_licences, asked) == {"no licence is stated for what serves postgresql"}
	absent := object.remove(fixtures.site.stack[1], ["licence"])
	_violated(fixtures.with_site({"stack": [fixtures.site.stack[0], absent]})) == {_licences}
}

test_clean_closed_licence_is_known if {
	asked := fixtures.with_site({"stack": [fixtures.site.stack[0], _licensed("LicenseRef-closed")]})
	_violated(asked) == set()
}

test_clean_missing_licence_of_what_serves_others if {
	other := {"name": "Broker", "licence": null, "open_standard": true, "interfaces": ["kafka"]}
	_violated(fixtures.with_site({"stack": array.concat(fixtures.site.stack, [other])})) == set()
}

# exit_notice_within_data_act

_notice := "openness.exit_notice_within_data_act"

test_boundary_of_the_notice if {
	_violated(fixtures.with_site({"exit_notice_days": 60})) == set()
	_violated(fixtures.with_site({"exit_notice_days": 61})) == {_notice}
	_violated(fixtures.with_site({"exit_notice_days": 0})) == set()
}

test_missing_notice if {
	asked := fixtures.with_site({"exit_notice_days": null})
	_messages(_notice, asked) == {"notice in days: not stated; at most 60"}
	_violated(asked) == {_notice}
	_violated(fixtures.without_site("exit_notice_days")) == {_notice}
}

test_clean_missing_notice_at_the_citys_own_site if {
	own := {"exit_notice_days": null, "operator": {"municipal": true}}
	_violated(fixtures.with_site(own)) == set()
}

# transfer_window_within_data_act

_window := "openness.transfer_window_within_data_act"

test_boundaries_of_the_transfer_window if {
	_violated(fixtures.with_site({"transfer_window_days": 30})) == set()
	_violated(fixtures.with_site({"transfer_window_days": 31})) == {_window}
	_violated(fixtures.with_site({"transfer_window_days": 1})) == set()
	_violated(fixtures.with_site({"transfer_window_days": 0})) == {_window}
}

test_missing_transfer_window if {
	asked := fixtures.with_site({"transfer_window_days": null})
	_messages(_window, asked) == {"transfer window in days: not stated; 1 to 30"}
	_violated(asked) == {_window}
	_violated(fixtures.without_site("transfer_window_days")) == {_window}
}

test_clean_missing_transfer_window_at_the_citys_own_site if {
	own := {"transfer_window_days": null, "operator": {"municipal": true}}
	_violated(fixtures.with_site(own)) == set()
}

# What the host must do, and what is preferred

test_required_publication_of_high_value_data if {
	asked := fixtures.with_dataset({"high_value": true})
	found := openness.host_obligations with input as asked
	fixtures.codes(found) == {"openness.publish_by_api_and_bulk"}
}

test_not_required_publication_of_other_data if {
	every asked in [fixtures.question, fixtures.without_dataset("high_value")] {
		openness.host_obligations == set() with input as asked
	}
}

test_preferred_open_stack if {
	_disliked(_served(true)) == set()
	closed := fixtures.with_dataset({"technologies": [{"name": "ERP", "licence": null}]})
	_disliked(closed) == {"openness.prefer_open_stack"}
}

test_preferred_labelled_cloud if {
	unlabelled := {"certifications": [fixtures.certificate("C5", "Type 2")]}
	_disliked(fixtures.with_site(unlabelled)) == {"openness.prefer_labelled_cloud"}
	_disliked(fixtures.without_site("certifications")) == {"openness.prefer_labelled_cloud"}
	scs := {"certifications": [fixtures.certificate("SCS", null)]}
	_disliked(fixtures.with_site(scs)) == set()
	_disliked(fixtures.with_site(object.union(unlabelled, {"kind": "on_premise"}))) == set()
}

_violated(asked) := codes if {
	violations := openness.violations with input as asked
	codes := fixtures.codes(violations)
}

_messages(code, asked) := messages if {
	violations := openness.violations with input as asked
	messages := {violation.message | some violation in violations; violation.obligation == code}
}

_disliked(asked) := codes if {
	preferences := openness.preferences with input as asked
	codes := fixtures.codes(preferences)
}
