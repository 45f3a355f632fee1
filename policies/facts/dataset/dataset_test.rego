package facts.dataset_test

import data.facts.dataset
import data.fixtures_test as fixtures

test_personal_in_every_category_about_people if {
	every category in ["pseudonymised", "personal", "criminal", "special"] {
		dataset.personal with input as fixtures.with_dataset({"gdpr_category": category})
	}
}

test_not_personal_without_a_category if {
	not dataset.personal with input as fixtures.with_dataset({"gdpr_category": "none"})
	not dataset.personal with input as fixtures.with_dataset({"gdpr_category": null})
	not dataset.personal with input as fixtures.without_dataset("gdpr_category")
}

test_sensitive_in_stricter_categories if {
	every category in ["criminal", "special"] {
		dataset.sensitive with input as fixtures.with_dataset({"gdpr_category": category})
	}
}

test_not_sensitive_otherwise if {
	every category in ["none", "pseudonymised", "personal", null] {
		not dataset.sensitive with input as fixtures.with_dataset({"gdpr_category": category})
	}
	not dataset.sensitive with input as fixtures.without_dataset("gdpr_category")
}

test_public_where_anyone_may_see if {
	dataset.public with input as fixtures.with_dataset({"access_rights": "public"})
}

test_not_public_unless_stated if {
	every rights in ["restricted", "non_public", null] {
		not dataset.public with input as fixtures.with_dataset({"access_rights": rights})
	}
	not dataset.public with input as fixtures.without_dataset("access_rights")
}

test_accountable_when_personal_or_confidential if {
	dataset.accountable with input as fixtures.with_dataset({"confidentiality": 0})
	dataset.accountable with input as fixtures.with_dataset({
		"gdpr_category": "none",
		"confidentiality": 2,
	})
}

test_not_accountable_below_the_boundary if {
	not_personal := {"gdpr_category": "none", "confidentiality": 1}
	not dataset.accountable with input as fixtures.with_dataset(not_personal)
	unknown := {"gdpr_category": "none", "confidentiality": null}
	not dataset.accountable with input as fixtures.with_dataset(unknown)
}

test_interfaces_are_those_required if {
	dataset.interfaces == {"ogc_api", "postgresql"} with input as fixtures.question
	dataset.interfaces == set() with input as fixtures.without_dataset("interfaces")
}

test_closed_technologies_open_ones_left_out if {
	dataset.closed_technologies == set() with input as fixtures.question
}

test_closed_technologies_unless_the_licence_is_known_to_be_open if {
	asked := fixtures.with_dataset({"technologies": [
		{"name": "ERP", "licence_open": false},
		{"name": "Kafka", "licence_open": true},
		{"name": "Portal", "licence_open": null},
		{"name": "Script"},
		{"licence_open": false},
	]})
	expected := {"ERP", "Portal", "Script", "not stated"}
	dataset.closed_technologies == expected with input as asked
}

test_roles_of_every_task if {
	asked := fixtures.with_dataset({
		"readers": [_role("reader", "NL", 1)],
		"writers": [_role("writer", "NL", 1)],
		"administrators": [_role("administrator", "NL", 1)],
	})
	dataset.role_ids == {"administrator", "reader", "writer"} with input as asked
	count(dataset.roles) == 3 with input as asked
}

test_uncleared_below_the_confidentiality_or_unknown if {
	asked := fixtures.with_dataset({
		"confidentiality": 3,
		"readers": [_role("below", "NL", 2), _role("equal", "NL", 3)],
		"writers": [_role("unknown", "NL", null)],
		"administrators": [{"id": "absent"}],
	})
	expected := {
		"absent (clearance: not stated)",
		"below (clearance: 2)",
		"unknown (clearance: not stated)",
	}
	dataset.uncleared == expected with input as asked
}

# Readers from here and there, and nobody else, on data of the category.
_used_in(category) := fixtures.with_dataset({
	"gdpr_category": category,
	"readers": [
		_role("adequate", "CH", 4),
		_role("elsewhere", "US", 4),
		_role("home", "NL", 4),
		_role("unknown", null, 4),
	],
	"writers": [{"id": "absent"}],
	"administrators": [],
})

test_used_from_elsewhere_personal_data_from_safe_countries if {
	expected := {
		"absent (country: not stated)",
		"elsewhere (country: US)",
		"unknown (country: not stated)",
	}
	dataset.used_from_elsewhere == expected with input as _used_in("personal")
}

test_used_from_elsewhere_sensitive_data_from_eea if {
	expected := {
		"absent (country: not stated)",
		"adequate (country: CH)",
		"elsewhere (country: US)",
		"unknown (country: not stated)",
	}
	dataset.used_from_elsewhere == expected with input as _used_in("special")
}

_role(id, place, clearance) := {"id": id, "country": place, "clearance": clearance}
