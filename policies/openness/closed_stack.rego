package openness

import data.facts.dataset
import data.facts.site

# METADATA
# scope: document
# description: |
#   The dataset would rest on a closed stack here: something it depends on is not under an open
#   licence, or is not known to be.
default closed_stack := false

# An interface that a closed component serves, or that no component is known to serve.
closed_stack if count(dataset.interfaces - site.open_interfaces) > 0

closed_stack if count(dataset.closed_technologies) > 0

# A dataset that names no interface may come to depend on any component.
closed_stack if {
	count(dataset.interfaces) == 0
	not site.open_stack
}
