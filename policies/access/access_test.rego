package access_test

import data.access
import data.fixtures_test as fixtures

violated(asked) := fixtures.codes(violations) if {
	# regal ignore:with-outside-test-context
	violations := access.violations with input as asked
}

messages(asked) := {violation.message | some violation in violations} if {
	# regal ignore:with-outside-test-context
	violations := access.violations with input as asked
}

preferred(asked) := preferences if {
	# regal ignore:with-outside-test-context
	preferences := access.preferences with input as asked
}

required(asked) := host_obligations if {
	# regal ignore:with-outside-test-context
	host_obligations := access.host_obligations with input as asked
}

# The fixture's role with another clearance, in every part; the dataset is of confidentiality 3.
role_cleared(clearance) := object.union(fixtures.role, {"clearance": clearance})

host_cleared(clearance) := {"id": "host-admin", "country": "NL", "clearance": clearance}

everybody(role) := {"readers": [role], "writers": [role], "administrators": [role]}

nobody := {"readers": [], "writers": [], "administrators": []}

# access.roles_named

test_eligible_question if {
	violated(fixtures.question) == set()
}

test_denied_when_no_administrators_are_named if {
	asked := fixtures.with_dataset({"administrators": []})
	violated(asked) == {"access.roles_named"}
	messages(asked) == {"no administrators are named"}
}

test_denied_when_administrators_are_null if {
	violated(fixtures.with_dataset({"administrators": null})) == {"access.roles_named"}
}

test_denied_when_administrators_are_absent if {
	violated(fixtures.without_dataset("administrators")) == {"access.roles_named"}
}

test_denied_when_no_readers_are_named if {
	asked := fixtures.with_dataset({"readers": []})
	violated(asked) == {"access.roles_named"}
	messages(asked) == {"no readers are named"}
}

test_denied_when_readers_are_null if {
	violated(fixtures.with_dataset({"readers": null})) == {"access.roles_named"}
}

test_denied_when_readers_are_absent if {
	violated(fixtures.without_dataset("readers")) == {"access.roles_named"}
}

test_denied_when_nobody_is_named_at_all if {
	asked := fixtures.with_dataset(nobody)
	violated(asked) == {"access.roles_named"}
	messages(asked) == {"no administrators are named", "no readers are named"}
}

test_denied_when_access_is_unknown_and_no_readers_are_named if {
	every access_rights in [null, "restricted", "non_public"] {
		asked := fixtures.with_dataset({"access_rights": access_rights, "readers": []})
		messages(asked) == {"no readers are named"}
	}
}

test_eligible_when_public_dataset_names_no_readers if {
	violated(fixtures.with_dataset(object.union(fixtures.public, {"readers": []}))) == set()
}

test_denied_when_public_dataset_names_no_administrators if {
	asked := fixtures.with_dataset(object.union(fixtures.public, {"administrators": []}))
	violated(asked) == {"access.roles_named"}
}

test_eligible_when_nobody_writes if {
	violated(fixtures.with_dataset({"writers": []})) == set()
}

# access.roles_served

test_eligible_when_site_serves_the_role_by_name if {
	violated(fixtures.with_site({"serves_roles": ["registrar"]})) == set()
}

test_eligible_when_site_serves_everyone_among_others if {
	violated(fixtures.with_site({"serves_roles": ["clerk", "*"]})) == set()
}

test_denied_when_role_is_not_served if {
	asked := fixtures.with_site({"serves_roles": ["clerk", "registrar-2", "Registrar", "regis*"]})
	violated(asked) == {"access.roles_served"}
	messages(asked) == {"not served: registrar"}
}

test_denied_when_site_serves_nobody if {
	violated(fixtures.with_site({"serves_roles": []})) == {"access.roles_served"}
}

test_denied_when_served_roles_are_null if {
	violated(fixtures.with_site({"serves_roles": null})) == {"access.roles_served"}
}

test_denied_when_served_roles_are_absent if {
	violated(fixtures.without_site("serves_roles")) == {"access.roles_served"}
}

test_denied_when_one_of_the_tasks_is_not_served if {
	clerk := object.union(fixtures.role, {"id": "clerk"})
	every task in ["readers", "writers", "administrators"] {
		asked := fixtures.with_both({task: [fixtures.role, clerk]}, {"serves_roles": ["registrar"]})
		violated(asked) == {"access.roles_served"}
		messages(asked) == {"not served: clerk"}
	}
}

# access.federated_identity

test_denied_when_site_does_not_federate_identities if {
	asked := fixtures.with_site({"federation": false})
	violated(asked) == {"access.federated_identity"}
	messages(asked) == {"identity federation: false"}
}

test_denied_when_federation_is_null if {
	asked := fixtures.with_site({"federation": null})
	violated(asked) == {"access.federated_identity"}
	messages(asked) == {"identity federation: not stated"}
}

test_denied_when_federation_is_absent if {
	violated(fixtures.without_site("federation")) == {"access.federated_identity"}
}

test_denied_when_one_task_alone_needs_federation_and_second_factor if {
	every task in ["readers", "writers", "administrators"] {
		tasks := object.union(nobody, {task: [fixtures.role]})
		asked := fixtures.with_both(tasks, {"federation": false, "mfa": false})
		violated(asked) - {"access.roles_named"} == {
			"access.federated_identity",
			"access.second_factor",
		}
	}
}

test_denied_once_when_nobody_works_with_the_data if {
	asked := fixtures.with_both(nobody, {"federation": false, "mfa": false, "serves_roles": []})
	violated(asked) == {"access.roles_named"}
}

# access.second_factor

test_denied_when_site_has_no_second_factor if {
	asked := fixtures.with_site({"mfa": false})
	violated(asked) == {"access.second_factor"}
	messages(asked) == {"multi-factor authentication: false"}
}

test_denied_when_second_factor_is_null if {
	asked := fixtures.with_site({"mfa": null})
	violated(asked) == {"access.second_factor"}
	messages(asked) == {"multi-factor authentication: not stated"}
}

test_denied_when_second_factor_is_absent if {
	violated(fixtures.without_site("mfa")) == {"access.second_factor"}
}

# access.roles_cleared

test_eligible_when_role_is_cleared_for_exactly_the_level if {
	violated(fixtures.with_dataset(everybody(role_cleared(3)))) == set()
}

test_denied_when_role_is_cleared_one_level_too_low if {
	asked := fixtures.with_dataset(everybody(role_cleared(2)))
	violated(asked) == {"access.roles_cleared"}
	messages(asked) == {"confidentiality 3, worked with by registrar (clearance: 2)"}
}

test_denied_when_clearance_of_role_is_null if {
	asked := fixtures.with_dataset(everybody(role_cleared(null)))
	violated(asked) == {"access.roles_cleared"}
	messages(asked) == {"confidentiality 3, worked with by registrar (clearance: not stated)"}
}

test_denied_when_clearance_of_role_is_absent if {
	asked := fixtures.with_dataset(everybody(object.remove(fixtures.role, ["clearance"])))
	violated(asked) == {"access.roles_cleared"}
}

test_denied_when_one_of_the_tasks_is_done_uncleared if {
	clerk := {"id": "clerk", "country": "NL", "clearance": 0}
	every task in ["readers", "writers", "administrators"] {
		asked := fixtures.with_dataset({task: [fixtures.role, clerk]})
		violated(asked) == {"access.roles_cleared"}
		messages(asked) == {"confidentiality 3, worked with by clerk (clearance: 0)"}
	}
}

test_denied_when_role_is_uncleared_from_the_level_that_asks if {
	roles := everybody(role_cleared(1))
	asked := fixtures.with_dataset(object.union(roles, {"confidentiality": 2}))
	violated(asked) == {"access.roles_cleared"}
}

test_eligible_when_role_is_uncleared_below_the_level_that_asks if {
	roles := everybody(role_cleared(null))
	violated(fixtures.with_dataset(object.union(roles, {"confidentiality": 1}))) == set()
}

# access.site_administrators_known

test_denied_when_site_names_no_administrators if {
	asked := fixtures.with_site({"administrators": []})
	violated(asked) == {"access.site_administrators_known"}
	messages(asked) == {"the site names no administrators"}
}

test_denied_when_site_administrators_are_null if {
	asked := fixtures.with_site({"administrators": null})
	violated(asked) == {"access.site_administrators_known"}
}

test_denied_when_site_administrators_are_absent if {
	asked := fixtures.without_site("administrators")
	violated(asked) == {"access.site_administrators_known"}
}

test_denied_when_site_administrators_are_unknown_from_the_level_that_asks if {
	asked := fixtures.with_both({"confidentiality": 2}, {"administrators": []})
	violated(asked) == {"access.site_administrators_known"}
}

test_eligible_when_site_administrators_are_unknown_below_the_level_that_asks if {
	violated(fixtures.with_both({"confidentiality": 1}, {"administrators": []})) == set()
}

# access.site_administrators_cleared

test_eligible_when_site_administrator_is_cleared_for_exactly_the_level if {
	violated(fixtures.with_site({"administrators": [host_cleared(3)]})) == set()
}

test_denied_when_site_administrator_is_cleared_one_level_too_low if {
	asked := fixtures.with_site({"administrators": [host_cleared(2)]})
	violated(asked) == {"access.site_administrators_cleared"}
	messages(asked) == {"confidentiality 3, administered by host-admin (clearance: 2)"}
}

test_denied_when_clearance_of_site_administrator_is_null if {
	asked := fixtures.with_site({"administrators": [host_cleared(null)]})
	violated(asked) == {"access.site_administrators_cleared"}
	messages(asked) == {"confidentiality 3, administered by host-admin (clearance: not stated)"}
}

test_denied_when_clearance_of_site_administrator_is_absent if {
	asked := fixtures.with_site({"administrators": [{"id": "host-admin", "country": "NL"}]})
	violated(asked) == {"access.site_administrators_cleared"}
	messages(asked) == {"confidentiality 3, administered by host-admin (clearance: not stated)"}
}

test_denied_when_one_site_administrator_of_several_is_uncleared if {
	intern := {"id": "intern", "country": "NL", "clearance": 1}
	asked := fixtures.with_site({"administrators": [host_cleared(4), intern]})
	violated(asked) == {"access.site_administrators_cleared"}
	messages(asked) == {"confidentiality 3, administered by intern (clearance: 1)"}
}

test_denied_when_site_administrator_is_uncleared_from_the_level_that_asks if {
	asked := fixtures.with_both({"confidentiality": 2}, {"administrators": [host_cleared(1)]})
	violated(asked) == {"access.site_administrators_cleared"}
}

test_eligible_when_site_administrator_is_uncleared_below_the_level_that_asks if {
	asked := fixtures.with_both({"confidentiality": 1}, {"administrators": [host_cleared(null)]})
	violated(asked) == set()
}

test_denied_by_classification_when_confidentiality_is_null_or_absent if {
	every asked in [
		fixtures.with_dataset({"confidentiality": null}),
		fixtures.without_dataset("confidentiality"),
	] {
		violated(asked) == set()
		"classification.attributes_stated" in fixtures.violated(asked)
	}
}

# access.duties_segregated

test_denied_when_one_administration_serves_conflicting_duties if {
	duties := {"duties": ["audit", "access_administration"]}
	asked := fixtures.with_both(duties, {"segregated_administration": false})
	violated(asked) == {"access.duties_segregated"}
	messages(asked) == {"duties access_administration and audit under one administration"}
}

test_denied_when_segregation_is_null if {
	duties := {"duties": ["access_administration", "audit"]}
	asked := fixtures.with_both(duties, {"segregated_administration": null})
	violated(asked) == {"access.duties_segregated"}
}

test_denied_when_segregation_is_absent if {
	with_duties := fixtures.with_dataset({"duties": ["access_administration", "audit"]})
	asked := json.remove(with_duties, ["site/segregated_administration"])
	violated(asked) == {"access.duties_segregated"}
}

test_denied_for_every_conflicting_pair_of_duties if {
	duties := {"duties": [
		"access_administration",
		"audit",
		"payment_approval",
		"payment_initiation",
		"registration",
	]}
	messages(fixtures.with_both(duties, {"segregated_administration": false})) == {
		"duties access_administration and audit under one administration",
		"duties payment_approval and payment_initiation under one administration",
	}
}

test_eligible_when_conflicting_duties_are_administered_apart if {
	violated(fixtures.with_dataset({"duties": ["access_administration", "audit"]})) == set()
}

test_eligible_when_duties_do_not_conflict if {
	duties := {"duties": ["audit", "inspection"]}
	violated(fixtures.with_both(duties, {"segregated_administration": false})) == set()
}

test_eligible_when_dataset_serves_one_duty_or_none if {
	every duties in [["audit"], [], null] {
		asked := fixtures.with_both({"duties": duties}, {"segregated_administration": false})
		violated(asked) == set()
	}
}

test_conflicts_are_pairs_in_alphabetical_order if {
	conflicts := access.conflicts({"id": "alpha-ams"}, {"b_duty", "a_duty", "c_duty"})
		with data.thresholds.access.conflicting_duties as [["b_duty", "a_duty"], ["c_duty", "d_duty"]]
	conflicts == {["a_duty", "b_duty"]}
}

# Host obligations and preferences

test_required_to_review_rights_from_the_level_that_asks if {
	required(fixtures.with_dataset({"confidentiality": 2})) == {{
		"code": "access.review_rights",
		"requirement": "Let the city review who has access (BIO2, control 5.18), every 180 days.",
	}}
}

test_not_required_to_review_rights_below_the_level_that_asks if {
	required(fixtures.with_dataset({"confidentiality": 1})) == set()
}

test_preferred_when_administration_is_segregated if {
	preferred(fixtures.question) == set()
}

test_not_preferred_when_administration_is_not_segregated if {
	preferred(fixtures.with_site({"segregated_administration": false})) == {{
		"code": "access.prefer_segregated_administration",
		"message": "segregated administration: false",
		"penalty_eur_per_year": 120,
	}}
}

test_not_preferred_when_segregation_is_null_or_absent if {
	every asked in [
		fixtures.with_site({"segregated_administration": null}),
		fixtures.without_site("segregated_administration"),
	] {
		said := {preference.message | some preference in preferred(asked)}
		said == {"segregated administration: not stated"}
	}
}

test_preferred_when_dataset_serves_no_duty if {
	preferred(fixtures.with_both({"duties": []}, {"segregated_administration": false})) == set()
}
