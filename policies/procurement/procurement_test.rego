package procurement_test

import data.fixtures_test as fixtures
import data.procurement

violated(asked) := fixtures.codes(violations) if {
	# regal ignore:with-outside-test-context
	violations := procurement.violations with input as asked
}

messages(asked) := {violation.message | some violation in violations} if {
	# regal ignore:with-outside-test-context
	violations := procurement.violations with input as asked
}

required(asked) := fixtures.codes(host_obligations) if {
	# regal ignore:with-outside-test-context
	host_obligations := procurement.host_obligations with input as asked
}

# The site without these clauses, and the dataset with these changes.
lacking(clauses, changes) := fixtures.with_both(changes, {"clauses": [clause |
	some clause in fixtures.site.clauses
	not clause in clauses
]})

test_eligible_question if {
	violated(fixtures.question) == set()
}

# procurement.hosting_contract_known

test_denied_when_clauses_are_null if {
	asked := fixtures.with_site({"clauses": null})
	violated(asked) == {"procurement.hosting_contract_known"}
	messages(asked) == {"no clauses of a hosting contract are stated"}
}

test_denied_when_clauses_are_absent if {
	violated(fixtures.without_site("clauses")) == {"procurement.hosting_contract_known"}
}

test_denied_for_every_clause_when_contract_has_none if {
	violated(fixtures.with_site({"clauses": []})) == {
		"procurement.exit_clauses",
		"procurement.hosting_handover_machine_readable",
		"procurement.hosting_no_secondary_use",
		"procurement.hosting_public_ownership",
		"procurement.processing_agreement",
		"procurement.security_clauses",
	}
}

test_eligible_when_the_city_runs_the_site_without_contract if {
	every clauses in [null, []] {
		violated(fixtures.with_site({"operator": {"municipal": true}, "clauses": clauses})) == set()
	}
}

test_denied_when_it_is_unknown_whether_the_city_runs_the_site if {
	unknown := fixtures.with_site({"operator": {"municipal": null}, "clauses": null})
	every asked in [unknown, json.remove(unknown, ["site/operator/municipal"])] {
		violated(asked) == {"procurement.hosting_contract_known"}
	}
}

test_denied_when_another_operator_runs_a_site_of_any_kind_without_clauses if {
	every kind in ["on_premise", "private_cloud", "public_cloud"] {
		violated(fixtures.with_site({"kind": kind})) == set()
		count(violated(fixtures.with_site({"kind": kind, "clauses": []}))) == 6
	}
}

# Clauses that any data asks for

always_asked := {
	"handover_machine_readable": "procurement.hosting_handover_machine_readable",
	"public_ownership": "procurement.hosting_public_ownership",
	"no_secondary_use": "procurement.hosting_no_secondary_use",
	"exit_assistance": "procurement.exit_clauses",
	"deletion_on_exit": "procurement.exit_clauses",
}

test_denied_when_a_clause_is_lacking_that_any_data_asks_for if {
	every clause, obligation in always_asked {
		violated(lacking([clause], {})) == {obligation}
		violated(lacking([clause], fixtures.public)) == {obligation}
		every message in messages(lacking([clause], {})) {
			endswith(message, sprintf(" %s", [clause]))
		}
	}
}

test_denied_once_when_both_exit_clauses_are_lacking if {
	messages(lacking(["exit_assistance", "deletion_on_exit"], {})) == {
		"the hosting contract lacks deletion_on_exit, exit_assistance",
	}
}

test_eligible_when_the_city_does_not_ask_for_the_clause if {
	asked_for := ["audit_right"]
	violations := procurement.violations with input as lacking(["exit_assistance"], {})
		with data.thresholds.procurement.clauses_by_site_kind.private_cloud as asked_for
	violations == set()
}

# procurement.processing_agreement

test_denied_when_personal_data_lacks_a_clause_on_processing if {
	every clause in ["data_processing_agreement", "sub_processor_approval"] {
		every category in ["pseudonymised", "personal", "criminal", "special"] {
			asked := lacking([clause], {"gdpr_category": category})
			violated(asked) == {"procurement.processing_agreement"}
			messages(asked) == {sprintf("the hosting contract lacks %s", [clause])}
		}
	}
}

test_eligible_when_data_of_no_person_lacks_a_clause_on_processing if {
	clauses := ["data_processing_agreement", "sub_processor_approval"]
	violated(lacking(clauses, {"gdpr_category": "none"})) == set()
}

test_denied_by_classification_when_category_is_null_or_absent if {
	unknown := lacking(["data_processing_agreement"], {"gdpr_category": null})
	every asked in [unknown, json.remove(unknown, ["dataset/gdpr_category"])] {
		violated(asked) == set()
		"classification.attributes_stated" in fixtures.violated(asked)
	}
}

# procurement.security_clauses

test_denied_when_a_clause_on_security_is_lacking if {
	every clause in ["audit_right", "breach_notification"] {
		asked := lacking([clause], {})
		violated(asked) == {"procurement.security_clauses"}
		messages(asked) == {sprintf("the hosting contract lacks %s", [clause])}
	}
}

test_denied_when_confidential_data_of_no_person_lacks_a_clause_on_security if {
	asked := lacking(["audit_right"], {"gdpr_category": "none", "confidentiality": 2})
	violated(asked) == {"procurement.security_clauses"}
}

test_denied_when_personal_data_of_low_confidentiality_lacks_a_clause_on_security if {
	asked := lacking(["audit_right"], {"gdpr_category": "personal", "confidentiality": 1})
	violated(asked) == {"procurement.security_clauses"}
}

test_eligible_when_open_data_of_no_person_lacks_clauses_on_security if {
	changes := {"gdpr_category": "none", "confidentiality": 1}
	violated(lacking(["audit_right", "breach_notification"], changes)) == set()
}

test_denied_by_classification_when_confidentiality_is_null_or_absent if {
	changes := {"gdpr_category": "none", "confidentiality": null}
	unknown := lacking(["audit_right"], changes)
	every asked in [unknown, json.remove(unknown, ["dataset/confidentiality"])] {
		violated(asked) == set()
		"classification.attributes_stated" in fixtures.violated(asked)
	}
}

# procurement.storage_offered

test_eligible_when_the_storage_needed_is_the_only_one_offered if {
	every storage, other in {"object": "block", "block": "object"} {
		offers := {
			sprintf("offers_%s_storage", [storage]): true,
			sprintf("offers_%s_storage", [other]): false,
		}
		violated(fixtures.with_both({"storage": storage}, offers)) == set()
	}
}

test_denied_when_the_storage_needed_is_not_offered if {
	every storage in ["object", "block"] {
		offer := sprintf("offers_%s_storage", [storage])
		asked := fixtures.with_both({"storage": storage}, {offer: false})
		violated(asked) == {"procurement.storage_offered"}
		messages(asked) == {sprintf("not offered: storage of kind %s", [storage])}
	}
}

test_denied_when_the_offer_is_null_or_absent if {
	every storage in ["object", "block"] {
		offer := sprintf("offers_%s_storage", [storage])
		unknown := fixtures.with_both({"storage": storage}, {offer: null})
		every asked in [unknown, json.remove(unknown, [["site", offer]])] {
			violated(asked) == {"procurement.storage_offered"}
		}
	}
}

test_denied_when_the_storage_needed_is_null_or_absent if {
	every asked in [
		fixtures.with_dataset({"storage": null}),
		fixtures.without_dataset("storage"),
	] {
		violated(asked) == {"procurement.storage_offered"}
		messages(asked) == {"not offered: storage of kind not stated"}
	}
}

# procurement.delete_on_exit

test_required_to_delete_on_exit_from_another_operator if {
	required(fixtures.question) == {"procurement.delete_on_exit"}
}

test_required_to_delete_on_exit_when_operator_is_unknown if {
	unknown := fixtures.with_operator({"municipal": null})
	required(unknown) == {"procurement.delete_on_exit"}
	required(fixtures.without_operator("municipal")) == {"procurement.delete_on_exit"}
}

test_not_required_to_delete_on_exit_from_the_city_itself if {
	required(fixtures.with_operator({"municipal": true})) == set()
}
