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
batch := answer if {
	count(threshold_defects) == 0
	answer := {
		"verdicts": [[pair |
			some site in input.sites
			pair := _verdict with input as {"dataset": dataset, "site": site, "as_of": input.as_of}
		] |
			some dataset in input.datasets
		],
		"segregated_duties": [segregated |
			some site in input.sites
			some segregated in _segregated(site, input.duties)
		],
	}
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
	"violations": [violation | some [_, _, violation] in sort(_violations)],
	"host_obligations": [requirement | some [_, requirement] in sort(_host_obligations)],
	"preferences": [preference | some [_, _, preference] in sort(_preferences)],
	"closed_stack": openness.closed_stack,
} if {
	is_object(input.dataset)
	is_object(input.site.operator)
	is_string(input.as_of)
}

_violations := [[violation.obligation, violation.message, violation] |
	some family in [
		access.violations,
		classification.violations,
		openness.violations,
		procurement.violations,
		residency.violations,
		security.violations,
		transfer.violations,
	]
	some violation in family
]

_host_obligations := [[requirement.code, requirement] |
	some family in [
		access.host_obligations,
		openness.host_obligations,
		procurement.host_obligations,
		security.host_obligations,
		transfer.host_obligations,
	]
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
