package procurement.collection_test

import data.fixtures_test as fixtures
import data.procurement.collection

violated(asked) := fixtures.codes(violations) if {
	# regal ignore:with-outside-test-context
	violations := collection.violations with input as asked
}

messages(asked) := {violation.message | some violation in violations} if {
	# regal ignore:with-outside-test-context
	violations := collection.violations with input as asked
}

without_contract(key) := json.remove(fixtures.with_contract({}), [["dataset", "contract", key]])

on_day(asked, day) := object.union(asked, {"as_of": day})

test_eligible_when_contractor_collects_under_a_full_contract if {
	violated(fixtures.with_contract({})) == set()
}

# procurement.contractor_data_has_contract

test_denied_when_contractor_has_no_contract if {
	asked := fixtures.with_dataset({"collected_by": "contractor", "contract": null})
	violated(asked) == {"procurement.contractor_data_has_contract"}
	messages(asked) == {"a contractor collects the data, and no contract is stated"}
}

test_denied_when_contract_is_absent if {
	asked := json.remove(fixtures.with_contract({}), ["dataset/contract"])
	violated(asked) == {"procurement.contractor_data_has_contract"}
}

test_denied_for_each_clause_when_contract_says_nothing if {
	violated(object.union(
		json.remove(fixtures.question, ["dataset/contract"]),
		{"dataset": {"collected_by": "contractor", "contract": {}}},
	)) == {
		"procurement.contract_in_force",
		"procurement.contractor_data_is_public_property",
		"procurement.contractor_exit_agreed",
		"procurement.contractor_hands_over_machine_readable",
		"procurement.contractor_hands_over_regularly",
	}
}

test_eligible_when_public_bodies_collect_without_contract if {
	every collector in ["municipality", "authority"] {
		violated(fixtures.with_dataset({"collected_by": collector})) == set()
	}
}

test_denied_by_classification_when_collector_is_null_or_absent if {
	every asked in [
		fixtures.with_dataset({"collected_by": null}),
		fixtures.without_dataset("collected_by"),
	] {
		violated(asked) == set()
		fixtures.violated(asked) == {"classification.attributes_stated"}
	}
}

test_eligible_when_city_collects_whatever_the_contract_says if {
	contract := {
		"handover_format": "none",
		"handover_interval_days": null,
		"public_ownership": false,
		"exit_terms": false,
		"end_date": "2020-01-01",
	}
	violated(fixtures.with_dataset({"contract": contract})) == set()
}

# procurement.contractor_hands_over_machine_readable

test_denied_when_format_is_not_open_and_machine_readable if {
	every format in ["proprietary", "not_machine_readable", "none"] {
		asked := fixtures.with_contract({"handover_format": format})
		violated(asked) == {"procurement.contractor_hands_over_machine_readable"}
		messages(asked) == {sprintf("hand-over format: %s", [format])}
	}
}

test_denied_when_format_is_null_or_absent if {
	every asked in [
		fixtures.with_contract({"handover_format": null}),
		without_contract("handover_format"),
	] {
		violated(asked) == {"procurement.contractor_hands_over_machine_readable"}
		messages(asked) == {"hand-over format: not stated"}
	}
}

# procurement.contractor_hands_over_regularly

test_eligible_when_handed_over_on_the_last_day_allowed_or_before if {
	every days in [0, 1, 30, 31] {
		violated(fixtures.with_contract({"handover_interval_days": days})) == set()
	}
}

test_denied_when_handed_over_one_day_late if {
	asked := fixtures.with_contract({"handover_interval_days": 32})
	violated(asked) == {"procurement.contractor_hands_over_regularly"}
	messages(asked) == {"hand-over interval in days: 32; at most 31"}
}

test_denied_when_interval_is_null_or_absent if {
	every asked in [
		fixtures.with_contract({"handover_interval_days": null}),
		without_contract("handover_interval_days"),
	] {
		violated(asked) == {"procurement.contractor_hands_over_regularly"}
		messages(asked) == {"hand-over interval in days: not stated; at most 31"}
	}
}

# procurement.contractor_data_is_public_property

test_denied_when_data_is_not_public_property if {
	asked := fixtures.with_contract({"public_ownership": false})
	violated(asked) == {"procurement.contractor_data_is_public_property"}
	messages(asked) == {"public ownership: false"}
}

test_denied_when_ownership_is_null_or_absent if {
	every asked in [
		fixtures.with_contract({"public_ownership": null}),
		without_contract("public_ownership"),
	] {
		violated(asked) == {"procurement.contractor_data_is_public_property"}
		messages(asked) == {"public ownership: not stated"}
	}
}

# procurement.contractor_exit_agreed

test_denied_when_no_exit_is_agreed if {
	asked := fixtures.with_contract({"exit_terms": false})
	violated(asked) == {"procurement.contractor_exit_agreed"}
	messages(asked) == {"exit terms: false"}
}

test_denied_when_exit_is_null_or_absent if {
	every asked in [fixtures.with_contract({"exit_terms": null}), without_contract("exit_terms")] {
		violated(asked) == {"procurement.contractor_exit_agreed"}
		messages(asked) == {"exit terms: not stated"}
	}
}

# procurement.contract_in_force

test_eligible_on_the_last_day_of_the_contract if {
	asked := fixtures.with_contract({"end_date": "2026-06-30"})
	violated(on_day(asked, "2026-06-30")) == set()
}

test_denied_on_the_day_after_the_contract if {
	asked := on_day(fixtures.with_contract({"end_date": "2026-06-30"}), "2026-07-01")
	violated(asked) == {"procurement.contract_in_force"}
	messages(asked) == {"contract end: 2026-06-30; judged on 2026-07-01"}
}

test_dates_are_compared_across_months_and_years if {
	asked := fixtures.with_contract({"end_date": "2026-10-01"})
	every day in ["2025-12-31", "2026-02-28", "2026-09-30"] {
		violated(on_day(asked, day)) == set()
	}
	every day in ["2026-10-02", "2026-11-01", "2027-01-01"] {
		violated(on_day(asked, day)) == {"procurement.contract_in_force"}
	}
}

test_denied_when_end_is_null_or_absent if {
	every asked in [fixtures.with_contract({"end_date": null}), without_contract("end_date")] {
		violated(asked) == {"procurement.contract_in_force"}
		messages(asked) == {"contract end: not stated; judged on 2026-07-01"}
	}
}

test_denied_when_the_day_is_not_stated if {
	asked := object.remove(fixtures.with_contract({}), ["as_of"])
	violated(asked) == {"procurement.contract_in_force"}
	messages(asked) == {"contract end: 2026-07-01; judged on not stated"}
}
