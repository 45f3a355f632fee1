# METADATA
# description: |
#   The one package that is asked. It joins the families' answers; obligations live in the families.
# schemas:
#   - input: schema.input
package placement

import data.access
import data.classification
import data.openness
import data.procurement
import data.residency
import data.security
import data.transfer

# METADATA
# description: |
#   May this dataset rest at this site on this day, and on which conditions? Eligible exactly when
#   nothing is violated. Undefined, which is an error and never "eligible", when the question or
#   the thresholds are incomplete.
# entrypoint: true
verdict := _verdict if count(threshold_defects) == 0

# METADATA
# description: The verdicts of every dataset (rows) at every site (columns), and segregated duties.
# entrypoint: true
# schemas:
#   - input: schema.batch
batch := {"verdicts": verdicts, "segregated_duties": segregated} if {
	count(threshold_defects) == 0
	sites := [{"input": site, "facts": facts} |
		some site in input.sites
		facts := data.facts.site with input as {"site": site, "as_of": input.as_of}
	]
	verdicts := [row |
		some dataset in input.datasets
		row := _row(dataset, sites, input.as_of)
	]

	# A pair without an answer would shift the answers of the sites after it.
	every row in verdicts { count(row) == count(input.sites) }
	segregated := [pair |
		some site in input.sites
		some pair in _segregated(site, input.duties)
	]
}

_row(dataset, sites, as_of) := row if {
	facts := data.facts.dataset with input as {"dataset": dataset, "as_of": as_of}
	of_dataset := _of_dataset with input as {"dataset": dataset, "as_of": as_of}
	row := [pair |
		some site in sites
		pair := _verdict with input as {"dataset": dataset, "site": site.input, "as_of": as_of}
			with data.facts.dataset as facts
			with data.facts.site as site.facts
			with _of_dataset as of_dataset
	]
}

# METADATA
# description: Pairs of these duties whose datasets must not meet at this site.
# entrypoint: true
# schemas:
#   - input: schema.segregation
segregated_duties := _segregated(input.site, input.duties) if count(threshold_defects) == 0

_segregated(site, duties) := [{"site": site.id, "duty": pair[0], "other": pair[1]} |
	some pair in access.conflicts(site, duties)
]

_verdict := {
	"violations": [violation |
		found := array.concat(_of_dataset.violations, _violations)
		some [_, _, violation] in sort(found)
	],
	"host_obligations": [requirement |
		found := array.concat(_of_dataset.host_obligations, _host_obligations)
		some [_, requirement] in sort(found)
	],
	"preferences": [preference | some [_, _, preference] in sort(_preferences)],
	"closed_stack": openness.closed_stack,
} if {
	is_object(input.dataset)
	is_object(input.site.operator)
	is_string(input.as_of)
}

# Families that read the dataset only: a batch asks them once a dataset.
_of_dataset := {
	"violations": [[violation.obligation, violation.message, violation] |
		some family in [classification.violations, procurement.collection.violations]
		some violation in family
	],
	"host_obligations": [[requirement.code, requirement] |
		some family in [access.host_obligations, openness.host_obligations, security.host_obligations]
		some requirement in family
	],
}

_violations := [[violation.obligation, violation.message, violation] |
	some family in [
		access.violations,
		openness.violations,
		procurement.violations,
		residency.violations,
		security.violations,
		transfer.violations,
	]
	some violation in family
]

_host_obligations := [[requirement.code, requirement] |
	some family in [procurement.host_obligations, transfer.host_obligations]
	some requirement in family
]

_preferences := [[preference.code, preference.message, preference] |
	some family in [
		access.preferences,
		openness.preferences,
		residency.preferences,
		security.preferences,
		transfer.preferences,
	]
	some preference in family
]
