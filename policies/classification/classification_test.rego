package classification_test

import data.classification
import data.fixtures_test as fixtures

violated(asked) := fixtures.codes(violations) if {
	# regal ignore:with-outside-test-context
	violations := classification.violations with input as asked
}

messages(asked) := {violation.message | some violation in violations} if {
	# regal ignore:with-outside-test-context
	violations := classification.violations with input as asked
}

# The fixture's dataset, made one that anyone may see, with these changes.
with_public(changes) := fixtures.with_dataset(object.union(fixtures.public, changes))

non_public_of_no_person := {"gdpr_category": "none", "high_value": false}

# classification.attributes_stated

stated := [
	"access_rights",
	"availability",
	"collected_by",
	"confidentiality",
	"gdpr_category",
	"integrity",
]

test_eligible_question if {
	violated(fixtures.question) == set()
}

test_denied_when_an_attribute_is_null if {
	every attribute in stated {
		asked := fixtures.with_dataset({attribute: null})
		violated(asked) == {"classification.attributes_stated"}
		messages(asked) == {sprintf("%s is not stated", [attribute])}
	}
}

test_denied_when_an_attribute_is_absent if {
	every attribute in stated {
		asked := fixtures.without_dataset(attribute)
		violated(asked) == {"classification.attributes_stated"}
		messages(asked) == {sprintf("%s is not stated", [attribute])}
	}
}

test_denied_for_each_attribute_when_nothing_is_stated if {
	asked := object.union(object.remove(fixtures.question, ["dataset"]), {"dataset": {}})
	violated(asked) == {
		"classification.attributes_stated",
		"classification.non_public_has_ground",
		"classification.owner_and_steward_named",
	}
	every attribute in stated {
		sprintf("%s is not stated", [attribute]) in messages(asked)
	}
}

test_eligible_when_every_level_is_zero if {
	violated(with_public({"integrity": 0, "availability": 0})) == set()
}

# classification.owner_and_steward_named

test_denied_when_no_owner_is_named if {
	asked := fixtures.with_dataset({"has_owner": false})
	violated(asked) == {"classification.owner_and_steward_named"}
	messages(asked) == {"no owner department is named"}
}

test_denied_when_no_steward_is_named if {
	asked := fixtures.with_dataset({"has_steward": false})
	violated(asked) == {"classification.owner_and_steward_named"}
	messages(asked) == {"no steward is named"}
}

test_denied_for_each_when_neither_owner_nor_steward_is_named if {
	asked := fixtures.with_dataset({"has_owner": false, "has_steward": false})
	messages(asked) == {"no owner department is named", "no steward is named"}
}

test_denied_when_owner_or_steward_is_null_or_absent if {
	every attribute in ["has_owner", "has_steward"] {
		violated(fixtures.with_dataset({attribute: null})) == {"classification.owner_and_steward_named"}
		violated(fixtures.without_dataset(attribute)) == {"classification.owner_and_steward_named"}
	}
}

# classification.non_public_has_ground

test_eligible_when_one_ground_of_several_is_of_the_woo if {
	violated(fixtures.with_dataset({"non_publication_grounds": ["5.3", "5.1.2e"]})) == set()
}

test_denied_when_no_ground_is_named if {
	asked := fixtures.with_dataset({"non_publication_grounds": []})
	violated(asked) == {"classification.non_public_has_ground"}
	messages(asked) == {"access is non_public on grounds [], none of which the Woo knows"}
}

test_denied_when_grounds_are_null if {
	asked := fixtures.with_dataset({"non_publication_grounds": null})
	violated(asked) == {"classification.non_public_has_ground"}
	messages(asked) == {"access is non_public on grounds not stated, none of which the Woo knows"}
}

test_denied_when_grounds_are_absent if {
	asked := fixtures.without_dataset("non_publication_grounds")
	violated(asked) == {"classification.non_public_has_ground"}
}

test_denied_when_ground_is_not_of_the_woo if {
	every ground in ["5.1", "5.1.1", "5.1.2", "5.1.2j", "5.1.1D", "", " 5.1.1d"] {
		asked := fixtures.with_dataset({"non_publication_grounds": [ground]})
		violated(asked) == {"classification.non_public_has_ground"}
	}
}

test_denied_when_restricted_without_ground if {
	asked := fixtures.with_dataset({"access_rights": "restricted", "non_publication_grounds": []})
	violated(asked) == {"classification.non_public_has_ground"}
}

test_denied_when_access_is_unknown_without_ground if {
	asked := fixtures.with_dataset({"access_rights": null, "non_publication_grounds": []})
	violated(asked) == {
		"classification.attributes_stated",
		"classification.non_public_has_ground",
	}
}

test_eligible_when_public_without_ground if {
	violated(with_public({})) == set()
}

# classification.public_is_not_personal

test_denied_when_any_personal_data_is_public if {
	every category in ["pseudonymised", "personal", "criminal", "special"] {
		asked := with_public({"gdpr_category": category})
		violated(asked) == {
			"classification.personal_data_is_protected",
			"classification.public_is_not_personal",
		}
		sprintf("public access to data of category %s", [category]) in messages(asked)
	}
}

test_eligible_when_restricted_data_is_personal if {
	violated(fixtures.with_dataset({"access_rights": "restricted"})) == set()
}

test_denied_when_category_of_public_data_is_null_or_absent if {
	absent := json.remove(with_public({}), ["dataset/gdpr_category"])
	every asked in [with_public({"gdpr_category": null}), absent] {
		violated(asked) == {"classification.attributes_stated"}
	}
}

# classification.public_is_not_confidential

test_eligible_when_public_data_is_of_the_highest_level_allowed if {
	violated(with_public({"confidentiality": 1})) == set()
}

test_denied_when_public_data_is_confidential if {
	asked := with_public({"confidentiality": 2})
	violated(asked) == {"classification.public_is_not_confidential"}
	messages(asked) == {"public access to data of confidentiality 2"}
}

test_denied_when_confidentiality_of_public_data_is_null_or_absent if {
	absent := json.remove(with_public({}), ["dataset/confidentiality"])
	every asked in [with_public({"confidentiality": null}), absent] {
		violated(asked) == {"classification.attributes_stated"}
	}
}

# classification.non_public_is_confidential

test_eligible_when_non_public_data_is_of_the_lowest_level_allowed if {
	changes := object.union(non_public_of_no_person, {"confidentiality": 1})
	violated(fixtures.with_dataset(changes)) == set()
}

test_denied_when_non_public_data_is_open if {
	every access_rights in ["non_public", "restricted"] {
		changes := {"access_rights": access_rights, "confidentiality": 0}
		asked := fixtures.with_dataset(object.union(non_public_of_no_person, changes))
		violated(asked) == {"classification.non_public_is_confidential"}
		messages(asked) == {sprintf("access is %s, but confidentiality is 0", [access_rights])}
	}
}

test_denied_when_access_to_open_data_is_not_stated if {
	changes := object.union(non_public_of_no_person, {"access_rights": null, "confidentiality": 0})
	asked := fixtures.with_dataset(changes)
	violated(asked) == {
		"classification.attributes_stated",
		"classification.non_public_is_confidential",
	}
	"access is not stated, but confidentiality is 0" in messages(asked)
}

test_eligible_when_public_data_is_open if {
	violated(with_public({"confidentiality": 0})) == set()
}

# classification.personal_data_is_protected

minimum := {"none": 0, "pseudonymised": 2, "personal": 2, "criminal": 3, "special": 3}

test_eligible_when_category_is_protected_by_exactly_its_level if {
	every category, level in minimum {
		changes := {"gdpr_category": category, "confidentiality": max([level, 1])}
		violated(fixtures.with_dataset(changes)) == set()
	}
}

test_denied_when_category_is_protected_one_level_too_low if {
	every category, level in object.remove(minimum, ["none"]) {
		asked := fixtures.with_dataset({"gdpr_category": category, "confidentiality": level - 1})
		violated(asked) == {"classification.personal_data_is_protected"}
		messages(asked) == {sprintf("%s data of confidentiality %d", [category, level - 1])}
	}
}

test_denied_when_no_level_is_known_for_the_category if {
	changes := {"gdpr_category": "biometric", "confidentiality": 4}
	violated(fixtures.with_dataset(changes)) == {"classification.personal_data_is_protected"}
}

# classification.lawful_basis_stated

test_denied_when_personal_data_has_no_lawful_basis if {
	every category in ["pseudonymised", "personal", "criminal", "special"] {
		asked := fixtures.with_dataset({"gdpr_category": category, "has_lawful_basis": false})
		violated(asked) == {"classification.lawful_basis_stated"}
		messages(asked) == {sprintf("no lawful basis is stated for %s data", [category])}
	}
}

test_denied_when_lawful_basis_is_null_or_absent if {
	every asked in [
		fixtures.with_dataset({"has_lawful_basis": null}),
		fixtures.without_dataset("has_lawful_basis"),
	] {
		violated(asked) == {"classification.lawful_basis_stated"}
	}
}

test_eligible_when_data_of_no_person_has_no_lawful_basis if {
	changes := object.union(non_public_of_no_person, {"has_lawful_basis": false})
	violated(fixtures.with_dataset(changes)) == set()
}

# classification.high_value_is_public

test_eligible_when_high_value_data_is_public if {
	violated(with_public({"high_value": true})) == set()
}

test_denied_when_high_value_data_is_not_public if {
	every access_rights in ["non_public", "restricted"] {
		asked := fixtures.with_dataset({"high_value": true, "access_rights": access_rights})
		violated(asked) == {"classification.high_value_is_public"}
		messages(asked) == {sprintf("a high-value dataset with access %s", [access_rights])}
	}
}

test_denied_when_access_to_high_value_data_is_null_or_absent if {
	high := fixtures.with_dataset({"high_value": true, "access_rights": null})
	every asked in [high, json.remove(high, ["dataset/access_rights"])] {
		violated(asked) == {
			"classification.attributes_stated",
			"classification.high_value_is_public",
		}
		messages(asked) == {
			"a high-value dataset with access not stated",
			"access_rights is not stated",
		}
	}
}

test_eligible_when_it_is_not_said_that_the_data_is_of_high_value if {
	every asked in [
		fixtures.with_dataset({"high_value": null}),
		fixtures.without_dataset("high_value"),
	] {
		violated(asked) == set()
	}
}
