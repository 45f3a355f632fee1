# METADATA
# description: |
#   The one package that is asked. It joins the families' answers; an obligation lives in its family.
# schemas:
#   - input: schema.input
package placement

import data.residency

# METADATA
# description: Every violation of the pair. A family that is missing here is not judged at all.
violations := residency.violations

# METADATA
# description: May this dataset rest at this site on this day, and on which conditions?
# entrypoint: true
verdict := {
	"violations": [violation |
		some [_, _, violation] in sort([[v.obligation, v.message, v] | some v in violations])
	],
	"host_obligations": [],
	"preferences": [],
	"closed_stack": false,
}

# METADATA
# description: The verdicts of every dataset (rows) at every site (columns), and segregated duties.
# entrypoint: true
# schemas:
#   - input: schema.batch
batch := {
	"verdicts": [[answer |
		some site in input.sites
		answer := verdict with input as {"dataset": dataset, "site": site, "as_of": input.as_of}
	] |
		some dataset in input.datasets
	],
	"segregated_duties": [],
}

# METADATA
# entrypoint: true
# schemas:
#   - input: schema.segregation
segregated_duties := []
