# METADATA
# description: |
#   What several rules need to know of the dataset, whatever the site. Facts are stated positively
#   and are never undefined: rules deny what is not shown. A batch works them out once a dataset,
#   so nothing here may read the site.
# schemas:
#   - input: schema.input
package facts.dataset

import data.facts.country
import data.report
import data.thresholds

# METADATA
# scope: document
# description: |
#   The data says something about people, pseudonymised or not (GDPR, recital 26). A category that
#   is missing is reported once, by classification.attributes_stated.
default personal := false

personal if {
	input.dataset.gdpr_category != "none"
	not is_null(input.dataset.gdpr_category)
}

# METADATA
# scope: document
# description: Data that art. 9 or art. 10 of the GDPR protects more strictly.
default sensitive := false

sensitive if input.dataset.gdpr_category in {"criminal", "special"}

# METADATA
# scope: document
# description: Anyone may see the data.
default public := false

public if input.dataset.access_rights == "public"

# METADATA
# scope: document
# description: Personal data, or data of the confidentiality from which accesses are accounted for.
default accountable := false

accountable if personal

accountable if {
	input.dataset.confidentiality >= thresholds.security.access_logging_from_confidentiality
}

# METADATA
# description: Interfaces the dataset requires.
interfaces contains wanted if some wanted in input.dataset.interfaces

# METADATA
# description: Software the dataset depends on that is not known to be under an open licence.
closed_technologies contains report.shown(technology, "name") if {
	some technology in input.dataset.technologies
	not _open(technology)
}

# Worked out from the SPDX expression before a policy is asked; an absent answer is not open.
_open(technology) if technology.licence_open == true

# METADATA
# scope: document
# description: Everyone who works with the dataset.
roles contains role if some role in input.dataset.readers

roles contains role if some role in input.dataset.writers

roles contains role if some role in input.dataset.administrators

# METADATA
# description: The ids of everyone who works with the dataset.
role_ids contains role.id if some role in roles

# METADATA
# description: Roles, in words, that are not screened for the dataset's confidentiality.
uncleared contains report.clearance_of(role) if {
	some role in roles
	not _cleared(role)
}

# A rule of its own: a comparison with an absent attribute is undefined, and its negation too.
_cleared(role) if role.clearance >= input.dataset.confidentiality

# METADATA
# description: Roles, in words, from whose country working with the dataset would be a transfer.
used_from_elsewhere contains report.country_of(role) if {
	some role in roles
	not _may_work(role)
}

_may_work(role) if country.in_eea(role.country)

_may_work(role) if {
	not sensitive
	country.safe(role.country)
}
