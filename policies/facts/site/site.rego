# METADATA
# description: |
#   What several rules need to know of the site, whatever the dataset. Facts are never undefined,
#   and a missing attribute never makes one look better: rules deny what is not shown. A batch works
#   them out once a site, so nothing here may read the dataset.
# schemas:
#   - input: schema.input
package facts.site

import data.facts.country
import data.report
import data.thresholds

# METADATA
# scope: document
# description: Someone else runs the site, which is not shown to be the city's own.
default external := true

external := false if input.site.operator.municipal == true

# METADATA
# scope: document
# description: The site is some form of cloud.
default cloud := true

cloud := false if input.site.kind == "on_premise"

# METADATA
# scope: document
# description: A third country may be able to oblige the operator to hand data over.
default exposed := true

exposed := false if input.site.operator.extraterritorial_exposure == false

exposed := false if not external

# METADATA
# scope: document
# description: The site is in the EEA.
default in_eea := false

in_eea if country.in_eea(input.site.country)

# METADATA
# scope: document
# description: The site is in the EEA or in a country with an adequacy decision.
default in_safe_country := false

in_safe_country if country.safe(input.site.country)

# METADATA
# scope: document
# description: The operator is from the EEA or from a country with an adequacy decision.
default operator_from_safe_country := false

operator_from_safe_country if country.safe(input.site.operator.country)

# METADATA
# scope: document
# description: The operator's ultimate parent is in the EEA.
default parent_in_eea := false

parent_in_eea if country.in_eea(input.site.operator.parent_jurisdiction)

# METADATA
# description: |
#   Certificates that are valid on the day the pair is judged. An unknown last day counts as
#   expired; an unknown first day does not count against a certificate that names its last one.
certificates contains certificate if {
	some certificate in input.site.certifications
	not is_null(certificate.valid_until)
	input.as_of <= certificate.valid_until
	not _starts_later(certificate)
}

_starts_later(certificate) if {
	not is_null(certificate.valid_from)
	certificate.valid_from > input.as_of
}

# METADATA
# description: Schemes of the certificates that are valid.
schemes contains certificate.scheme if some certificate in certificates

# METADATA
# description: Levels of confidentiality for which the site lacks a certificate of its own.
uncertified_levels contains level if {
	run_by := {true: "external", false: "municipal"}[external]
	some level, accepted in thresholds.security.certificates_by_confidentiality[run_by]
	count(accepted) > 0
	not _holds_one_of(accepted)
}

_holds_one_of(accepted) if {
	some wanted in accepted
	some certificate in certificates
	certificate.scheme == wanted.scheme
	_level_suffices(certificate, wanted)
}

_level_suffices(_, wanted) if not wanted.levels

_level_suffices(certificate, wanted) if certificate.level in wanted.levels

# METADATA
# description: Interfaces the site offers.
interfaces contains offered if some offered in input.site.interfaces

# METADATA
# description: Interfaces that some component of the stack serves by an open standard.
open_standards contains served if {
	some component in input.site.stack
	component.open_standard == true
	some served in component.interfaces
}

# METADATA
# description: Interfaces that are served, and only by components under an open licence.
open_interfaces := _interfaces_of(_open_components) - _interfaces_of(_closed_components)

# METADATA
# description: Interfaces that some component without a stated licence serves.
unlicensed_interfaces := _interfaces_of({component |
	some component in input.site.stack
	is_null(object.get(component, "licence", null))
})

# METADATA
# scope: document
# description: There is a stack, and every component of it is under an open licence.
default open_stack := false

open_stack if {
	count(_open_components) > 0
	count(_closed_components) == 0
}

_open_components contains component if {
	some component in input.site.stack
	_open(component)
}

_closed_components contains component if {
	some component in input.site.stack
	not _open(component)
}

# Worked out from the SPDX expression before a policy is asked; an absent answer is not open.
_open(component) if component.licence_open == true

_interfaces_of(components) := {served |
	some component in components
	some served in component.interfaces
}

# METADATA
# description: Roles the site can serve.
serves contains role if some role in input.site.serves_roles

# METADATA
# scope: document
# description: |
#   The lowest clearance among the site's administrators; below every level where one is unknown or
#   none is named.
default lowest_clearance := -1

lowest_clearance := min({role.clearance | some role in input.site.administrators}) if {
	count(input.site.administrators) > 0
	every role in input.site.administrators { is_number(role.clearance) }
}

# METADATA
# description: Administrators, in words, who work from outside the EEA.
administered_outside_eea contains report.country_of(role) if {
	some role in input.site.administrators
	not _in_eea(role)
}

_in_eea(role) if country.in_eea(role.country)

# METADATA
# description: Administrators, in words, who work from a country without an adequacy decision.
administered_outside_safe_countries contains report.country_of(role) if {
	some role in input.site.administrators
	not _in_safe_country(role)
}

_in_safe_country(role) if country.safe(role.country)

# METADATA
# description: |
#   Clauses that the hosting contract should have and lacks. A contract that is not known at all is
#   reported once, by procurement.hosting_contract_known.
missing_clauses contains clause if {
	external
	is_array(input.site.clauses)
	some clause in thresholds.procurement.clauses_by_site_kind[input.site.kind]
	not clause in input.site.clauses
}
