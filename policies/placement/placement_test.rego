package placement_test

import data.fixtures_test as fixtures
import data.placement

# The single question

test_eligible_verdict_has_exactly_these_parts if {
	verdict := _verdict(fixtures.question)
	object.keys(verdict) == {"violations", "host_obligations", "preferences", "closed_stack"}
	verdict.violations == []
	verdict.closed_stack == false
	[preference.code | some preference in verdict.preferences] == ["security.prefer_on_premise"]
}

test_violating_verdict_joins_all_families_in_order if {
	verdict := _verdict(_worst)
	found := [violation.obligation | some violation in verdict.violations]
	families := {split(code, ".")[0] | some code in found}
	families == {
		"access",
		"classification",
		"openness",
		"procurement",
		"residency",
		"security",
		"transfer",
	}
	found == sort(found)
	"procurement.contract_in_force" in found
	verdict.closed_stack == true
}

test_violating_verdict_states_each_violation_in_full if {
	every violation in _verdict(_worst).violations {
		object.keys(violation) == {"obligation", "text", "severity", "sources", "message"}
		violation.severity in {"mandatory", "municipal"}
		violation.obligation != "report.incomplete_metadata"
		count(violation.sources) > 0
		every source in violation.sources { object.keys(source) == {"ref", "description"} }
	}
}

test_violating_verdict_orders_messages_within_a_code if {
	asked := fixtures.with_dataset({"integrity": null, "availability": null})
	messages := [violation.message | some violation in _verdict(asked).violations]
	messages == ["availability is not stated", "integrity is not stated"]
}

test_verdict_lists_what_the_host_must_do_in_order if {
	codes := [requirement.code | some requirement in _verdict(fixtures.question).host_obligations]
	codes == [
		"access.review_rights",
		"procurement.delete_on_exit",
		"security.back_up_elsewhere",
		"security.encrypt_at_rest",
		"security.encrypt_in_transit",
		"security.encrypt_with_city_keys",
		"security.exercise_recovery",
		"security.keep_access_log",
		"security.report_breaches",
		"transfer.notify_foreign_orders",
	]
}

test_verdict_lists_every_preference_with_its_weight if {
	expected := data.thresholds.preferences.penalty_eur_per_year
	found := {preference.code: preference.penalty_eur_per_year |
		some preference in _verdict(_worst).preferences
	}
	found == expected
}

test_undefined_verdict_of_an_incomplete_question if {
	every asked in _incomplete { not placement.verdict with input as asked }
}

_incomplete := [
	{},
	object.remove(fixtures.question, ["dataset"]),
	object.remove(fixtures.question, ["site"]),
	object.remove(fixtures.question, ["as_of"]),
	object.union(fixtures.question, {"dataset": null}),
	object.union(fixtures.question, {"as_of": null}),
	fixtures.with_site({"operator": null}),
	fixtures.without_site("operator"),
]

test_missing_attributes_are_violations_and_never_silence if {
	bare := {"dataset": {}, "site": {"operator": {}}, "as_of": fixtures.as_of}
	found := {violation.obligation | some violation in _verdict(bare).violations}
	found == {
		"access.roles_named",
		"classification.attributes_stated",
		"classification.non_public_has_ground",
		"classification.owner_and_steward_named",
		"openness.exit_notice_within_data_act",
		"openness.transfer_window_within_data_act",
		"procurement.hosting_contract_known",
		"procurement.storage_offered",
	}
}

# An absent attribute and one that is null say the same: nothing.
test_missing_attributes_count_as_null_ones_of_the_dataset if {
	_verdicts_of_datasets(_without(fixtures.dataset)) == _verdicts_of_datasets(_nulled(fixtures.dataset))
}

test_missing_attributes_count_as_null_ones_of_the_site if {
	_verdicts_at_sites(_without(fixtures.site)) == _verdicts_at_sites(_nulled(fixtures.site))
}

test_missing_attributes_count_as_null_ones_of_the_operator if {
	without := _run_by(_without(fixtures.operator))
	_verdicts_at_sites(without) == _verdicts_at_sites(_run_by(_nulled(fixtures.operator)))
}

# What may be absent without harm: absence already stands for the stricter answer, or for nothing
# that is asked of this pair.
test_missing_attributes_violate_but_for_these_of_the_dataset if {
	_harmless(fixtures.dataset, _verdicts_of_datasets(_without(fixtures.dataset))) == [
		"contract",
		"duties",
		"high_value",
		"interfaces",
		"replicated",
		"technologies",
		"writers",
	]
}

test_missing_attributes_violate_but_for_these_of_the_site if {
	_harmless(fixtures.site, _verdicts_at_sites(_without(fixtures.site))) == [
		"id",
		"offers_block_storage",
		"segregated_administration",
	]
	_harmless(fixtures.operator, _verdicts_at_sites(_run_by(_without(fixtures.operator)))) == [
		"id",
		"municipal",
	]
}

# Without an operator there is no verdict at all.
_keys(described) := [key | some key in sort(object.keys(described)); key != "operator"]

# The same with one attribute absent, or null: one for each key.
_without(described) := [object.remove(described, [key]) | some key in _keys(described)]

_nulled(described) := [object.union(described, {key: null}) | some key in _keys(described)]

_run_by(operators) := [site |
	some operator in operators
	site := object.union(object.remove(fixtures.site, ["operator"]), {"operator": operator})
]

_verdicts_of_datasets(datasets) := [row[0] | some row in _batch(datasets, [fixtures.site]).verdicts]

_verdicts_at_sites(sites) := _batch([fixtures.dataset], sites).verdicts[0]

_harmless(described, verdicts) := [key |
	some place, key in _keys(described)
	verdicts[place].violations == []
]

# The batch

test_batch_answers_each_pair_as_the_single_question_does if {
	batch := _batch(_datasets, _sites)
	batch.verdicts == [row |
		some dataset in _datasets
		row := [_verdict({"dataset": dataset, "site": site, "as_of": fixtures.as_of}) |
			some site in _sites
		]
	]
}

test_batch_of_nothing if {
	_batch([], []) == {"verdicts": [], "segregated_duties": []}
	_batch([], _sites).verdicts == []
	_batch(_datasets, []).verdicts == [[], [], [], []]
}

test_batch_keeps_the_order_and_repetitions_of_what_it_is_asked if {
	batch := _batch([_datasets[0], _datasets[1], _datasets[0]], [_sites[0], _sites[0]])
	[count(row) | some row in batch.verdicts] == [2, 2, 2]
	batch.verdicts[0] == batch.verdicts[2]
	batch.verdicts[0] != batch.verdicts[1]
}

test_batch_names_segregated_duties_of_every_site if {
	apart := fixtures.site
	together := object.union(fixtures.site, {"id": "beta", "segregated_administration": null})
	_batch([], [apart, together]).segregated_duties == [
		{"site": "beta", "duty": "access_administration", "other": "audit"},
		{"site": "beta", "duty": "payment_approval", "other": "payment_initiation"},
	]
}

test_undefined_batch_when_a_pair_has_no_answer if {
	broken := object.union(fixtures.site, {"operator": null})
	not placement.batch with input as _batch_of(_datasets, [fixtures.site, broken])
	not placement.batch with input as _batch_of([null], [fixtures.site])
}

# Segregated duties of one site

test_segregated_duties_in_alphabetical_order if {
	placement.segregated_duties == [
		{"site": "alpha-ams", "duty": "access_administration", "other": "audit"},
		{"site": "alpha-ams", "duty": "payment_approval", "other": "payment_initiation"},
	] with input as _segregation(false)
}

test_missing_segregated_administration_is_none if {
	count(placement.segregated_duties) == 2 with input as _segregation(null)
	absent := json.remove(_segregation(null), ["site/segregated_administration"])
	count(placement.segregated_duties) == 2 with input as absent
}

test_no_segregated_duties_where_administration_is_segregated if {
	placement.segregated_duties == [] with input as _segregation(true)
}

# Thresholds that are incomplete

test_undefined_answers_under_a_defective_threshold if {
	not placement.verdict with input as fixtures.question
		with data.thresholds.openness.closed_interfaces as null
	not placement.batch with input as _batch_of(_datasets, _sites)
		with data.thresholds.openness.closed_interfaces as null
	not placement.segregated_duties with input as _segregation(true)
		with data.thresholds.openness.closed_interfaces as null
}

_duties := ["audit", "permit_granting", "payment_initiation", "payment_approval", "access_administration"]

_segregation(segregated) := {
	"site": object.union(fixtures.site, {"segregated_administration": segregated}),
	"duties": _duties,
	"as_of": fixtures.as_of,
}

_batch_of(datasets, sites) := {
	"datasets": datasets,
	"sites": sites,
	"duties": _duties,
	"as_of": fixtures.as_of,
}

_batch(datasets, sites) := answer if {
	answer := placement.batch with input as _batch_of(datasets, sites)
}

_verdict(asked) := answer if {
	answer := placement.verdict with input as asked
}

# As much as possible speaks against this pair.
_worst := fixtures.with_both(
	{
		"has_steward": false,
		"collected_by": "contractor",
		"contract": object.union(fixtures.contract, {"end_date": "2026-06-30"}),
		"technologies": [{"name": "ERP", "licence": null}],
	},
	{
		"kind": "public_cloud",
		"country": "US",
		"operator": {
			"country": "US",
			"parent_jurisdiction": "US",
			"extraterritorial_exposure": true,
		},
		"seal_level": 0,
		"mfa": false,
		"certifications": [],
		"customer_held_keys": false,
		"segregated_administration": false,
		"clauses": [],
		"exit_notice_days": null,
	},
)

_datasets := [
	fixtures.dataset,
	object.union(fixtures.dataset, fixtures.public),
	_worst.dataset,
	{},
]

_sites := [
	fixtures.site,
	_worst.site,
	object.union(fixtures.site, fixtures.municipal),
	{"operator": {}},
]
